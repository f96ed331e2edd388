"""One attempt against real servers: what is sent, what counts, and that it ends however the server behaves."""

import asyncio
import json
import socket
from datetime import timedelta
from email.utils import format_datetime

import pytest

from app.lib.clock import utc_now
from app.lib.outgoing import Failure
from app.lib.webhooks.sender import Answer, WebhookSender
from tests.support.receivers import (
    HOST,
    PUBLIC,
    Behaviour,
    Names,
    Wire,
    answering,
    endlessly,
    forever,
    receiver,
    saying,
    sender_to,
)
from tests.support.waiting import until

URL = f"https://{HOST}/in?token=1"
BODY = b'{"type":"user.updated"}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"


async def attempt(behaviour: Behaviour, total_seconds: float = 15) -> Answer:
    async with receiver(behaviour) as one:
        return await sender_to(one.port, total_seconds=total_seconds).send(URL, {}, BODY)


async def test_the_request_is_what_was_asked_for_and_nothing_more() -> None:
    async with receiver(answering(200, b"thank you")) as one:
        answer = await sender_to(one.port).send(URL, {"webhook-id": "1"}, BODY)

    (request,) = one.received
    assert (answer.status, answer.body, answer.failure) == (200, "thank you", None)
    assert (request.target, request.body) == ("/in?token=1", BODY)
    assert request.headers == {
        "host": HOST,
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "user-agent": "Tests",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": "1",
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_success(status: int) -> None:
    answer = await attempt(answering(status))

    assert (answer.status, answer.failure) == (status, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_failures_and_not_followed(status: int) -> None:
    async with receiver(tls=False) as secret_place:
        target = f"http://127.0.0.1:{secret_place.port}/secrets"
        async with receiver(answering(status, location=target)) as one:
            wire = Wire({PUBLIC: one.port, "127.0.0.1": secret_place.port})
            answer = await sender_to(one.port, wire=wire).send(URL, {}, BODY)

    assert (answer.status, answer.failure) == (status, Failure.REFUSED)
    assert wire.connected == [PUBLIC]
    assert secret_place.connections == 0


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503, 599])
async def test_everything_else_is_a_failure_with_its_status(status: int) -> None:
    answer = await attempt(answering(status, b"no"))

    assert (answer.status, answer.body, answer.failure) == (status, "no", Failure.REFUSED)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("-1", None),
        ("9" * 30, None),
        ("soon", None),
        ("Fri, 99 Dec 1999 23:59:59 GMT", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", timedelta()),
        ("Sun, 06 Nov 9999999 08:49:37 GMT", None),
    ],
)
async def test_the_receiver_says_when_to_come_back(value: str, wait: timedelta | None) -> None:
    assert (await attempt(answering(503, retry_after=value))).retry_after == wait


@pytest.mark.parametrize(
    "until", ["Fri, 31 Dec 1999 23:59:59 GMT", "Friday, 31-Dec-99 23:59:59 GMT", "Fri Dec 31 23:59:59 1999"]
)
async def test_the_receiver_names_a_date_by_its_own_clock(until: str) -> None:
    behaviour = answering(503, date="Fri, 31 Dec 1999 23:57:59 GMT", retry_after=until)

    assert (await attempt(behaviour)).retry_after == timedelta(minutes=2)


async def test_a_date_without_the_clock_of_the_receiver_is_compared_with_ours() -> None:
    until = format_datetime(utc_now() + timedelta(hours=1), usegmt=True)

    asked = (await attempt(answering(503, retry_after=until))).retry_after

    assert asked is not None
    assert timedelta(minutes=59) < asked <= timedelta(hours=1)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(saying(then=forever), id="nothing"),
        pytest.param(saying(b"HTTP/1.1 200", then=forever), id="half a status line"),
        pytest.param(saying(b"HTTP/1.1 200 OK\r\nx-slow: 1\r\n", then=forever), id="half a head"),
    ],
)
async def test_a_head_that_does_not_end_is_given_up_in_time(behaviour: Behaviour) -> None:
    answer = await attempt(behaviour, total_seconds=0.3)

    assert (answer.status, answer.body, answer.failure) == (None, None, Failure.TIMEOUT)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(endlessly(b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"a" * 1000 + b"\r\n"), id="header fields"),
        pytest.param(endlessly(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100), id="hints"),
    ],
)
async def test_an_endless_head_is_refused(behaviour: Behaviour) -> None:
    answer = await attempt(behaviour)

    assert (answer.status, answer.failure) == (None, Failure.INVALID_ANSWER)


@pytest.mark.parametrize(
    ("behaviour", "body"),
    [
        pytest.param(saying(HEAD + b"content-length: 9\r\n\r\nab", then=forever), "ab", id="stalls"),
        pytest.param(saying(HEAD + b"content-length: 9\r\n\r\nab"), "ab", id="breaks off"),
        pytest.param(saying(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n"), "ab", id="breaks rules"),
        pytest.param(endlessly(HEAD + b"\r\n", b"a" * 1000), "a" * 1000, id="never ends"),
    ],
)
async def test_the_status_counts_even_if_the_body_is_lost(behaviour: Behaviour, body: str) -> None:
    answer = await attempt(behaviour, total_seconds=0.5)

    assert (answer.status, answer.body, answer.failure) == (200, body, None)


async def test_of_a_body_a_thousand_characters_are_kept_without_nul() -> None:
    answer = await attempt(answering(500, b"\0a\xff" * 2000))

    assert answer.body is not None
    assert len(answer.body) == 1000
    assert set(answer.body) == {"a", "\ufffd"}


async def test_compressed_bodies_are_not_unpacked() -> None:
    answer = await attempt(answering(200, b"\x1f\x8b not even gzip", content_encoding="gzip"))

    assert answer.failure is None


@pytest.mark.parametrize("nonsense", [b"SSH-2.0-OpenSSH_9\r\n", b"\x00" * 200, b"HTTP/9.9 two\r\n\r\n", b""])
async def test_what_is_no_answer_is_a_failure(nonsense: bytes) -> None:
    assert (await attempt(saying(nonsense))).failure in {Failure.INVALID_ANSWER, Failure.CONNECTION_FAILED}


async def test_a_server_that_does_not_speak_tls() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        answer = await sender_to(server.sockets[0].getsockname()[1]).send(URL, {}, BODY)

    assert (answer.status, answer.failure) == (None, Failure.TLS_FAILED)


async def test_a_handshake_that_never_ends() -> None:
    with socket.socket() as listening:  # accepted by the kernel only
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        answer = await sender_to(listening.getsockname()[1], total_seconds=0.3).send(URL, {}, BODY)

    assert answer.failure is Failure.TIMEOUT


async def test_the_certificate_is_verified_for_the_name() -> None:
    async with receiver(host="other.example.com") as one:
        answer = await sender_to(one.port).send(URL, {}, BODY)

    assert (answer.failure, one.received) == (Failure.TLS_FAILED, [])


async def test_an_unknown_authority_is_not_trusted() -> None:
    async with receiver() as one:
        answer = await sender_to(one.port, trust=None).send(URL, {}, BODY)

    assert (answer.failure, one.received) == (Failure.TLS_FAILED, [])


async def test_a_port_without_a_server() -> None:
    assert (await sender_to(0, wire=Wire({})).send(URL, {}, BODY)).failure is Failure.CONNECTION_FAILED


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert (await attempt(answering(204))).failure is None


async def test_a_name_that_is_never_found_ends_in_time_and_is_cancelled() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await forever()
        return []

    answer = await sender_to(0, resolve=never, total_seconds=0.2).send(URL, {}, BODY)

    assert answer.failure is Failure.TIMEOUT


async def test_being_cancelled_is_not_swallowed() -> None:
    async with receiver(saying(then=forever)) as one:
        task = asyncio.create_task(sender_to(one.port).send(URL, {}, BODY))
        await until(lambda: bool(one.received))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_http_to_this_machine_is_for_development() -> None:
    async with receiver(tls=False) as one:
        url = f"http://127.0.0.1:{one.port}/in"
        allowed = WebhookSender(user_agent="Tests", allow_private=True)
        refused = WebhookSender(user_agent="Tests")
        answers = [await allowed.send(url, {}, BODY), await refused.send(url, {}, BODY)]

    assert [answer.failure for answer in answers] == [None, Failure.ADDRESS_REFUSED]
    assert [json.loads(request.body) for request in one.received] == [json.loads(BODY)]


async def test_names_are_looked_up_by_the_system_by_default() -> None:
    sender = WebhookSender(user_agent="Tests")
    answers = [
        await sender.send(f"https://{host}/", {}, BODY) for host in ("localhost", f"{'too-long' * 9}.example.com")
    ]

    assert [answer.failure for answer in answers] == [Failure.ADDRESS_REFUSED, Failure.NAME_NOT_FOUND]


@pytest.mark.parametrize("names", [Names([]), Names([PUBLIC, "10.0.0.1"])])
async def test_nothing_is_sent_without_a_good_address(names: Names) -> None:
    wire = Wire({PUBLIC: 1, "10.0.0.1": 1})
    answer = await sender_to(0, names=names, wire=wire).send(URL, {}, BODY)

    assert answer.failure in {Failure.NAME_NOT_FOUND, Failure.ADDRESS_REFUSED}
    assert wire.connected == []
