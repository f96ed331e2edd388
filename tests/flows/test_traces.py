"""Traces: from a request by way of jobs to what is sent elsewhere, as a collector gets them."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.lib.observability.tracing import Tracing, endpoint
from tests.support.apps import Deployment, client_of, core_of
from tests.support.collector import Collector, Seen, collector
from tests.support.mailserver import MailServer
from tests.support.people import PASSWORD, People
from tests.support.receivers import Receiver, receiver
from tests.support.waiting import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UNKNOWN = "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
STATE = "vendor=opaque value,other=1"
SETTINGS = {"PRODUCT_NAME": "Traced", "WEBHOOKS_ALLOW_PRIVATE": "true", "RATE_LIMIT_ENABLED": "false"}


@pytest_asyncio.fixture(autouse=True)
async def no_exporter_outlives_the_test(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """It would say what it has lost in the output of the next one."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    yield
    await until(lambda: not any(each.name.startswith("Otel") for each in threading.enumerate()))


@pytest_asyncio.fixture
async def collected(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """A collector to which the apps of the test send their traces at once."""
    async with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield found


async def one(collected: Collector, name: str, trace_id: str | None = None) -> Seen:
    await until(lambda: bool(collected.named(name, trace_id)))
    return collected.named(name, trace_id)[0]


async def test_a_request_and_its_statements(collected: Collector, deployment: Deployment) -> None:
    app = await deployment.start(**SETTINGS)
    person = await People(app).create()
    headers = {**person.headers, "X-Request-ID": "a-request-of-ours"}
    async with client_of(app, headers=headers) as client:
        assert (await client.get("/api/v1/users/me?", headers={"traceparent": SAMPLED})).status_code == 200
        assert (await client.patch("/api/v1/users/me", json={"name": "Zerelda Quux"})).status_code == 200
        assert (await client.get("/nowhere/zerelda?token=hidden")).status_code == 404
        assert (await client.get("/api/v1/users?q=zerelda")).status_code == 403

    request = await one(collected, "GET /api/v1/users/me", TRACE)
    assert (request.kind, request.parent_id, request.is_failed) == ("server", PARENT, False)
    assert request.attributes == {
        "http.request.method": "GET",
        "http.route": "/api/v1/users/me",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "request_id": "a-request-of-ours",
    }
    system = core_of(app).database.engine.dialect.name
    read = (await one(collected, "SELECT users", TRACE)).attributes
    assert read["db.system.name"] == system
    assert read["db.operation.name"] == "SELECT"
    assert "FROM users" in read["db.query.text"]
    assert {each.parent_id for each in collected.spans(TRACE)} == {PARENT, request.span_id}

    changed = await one(collected, "PATCH /api/v1/users/me")
    update = await one(collected, "UPDATE users", changed.trace_id)
    assert (update.kind, update.parent_id) == ("client", changed.span_id)
    assert changed.trace_id != TRACE
    assert (await one(collected, "GET")).attributes["http.response.status_code"] == 404
    refused = await one(collected, "GET /api/v1/users")
    assert (refused.attributes["http.response.status_code"], refused.is_failed) == (403, False)
    everything = "".join(each.text for each in collected.spans()).lower()
    hidden = ["zerelda", "quux", "hidden", person.access_token, person.email, str(person.id), "203.0.113", "bearer"]
    assert [each for each in hidden if each.lower() in everything] == []
    assert collected.resource()["service.name"] == "traced"
    assert collected.resource()["deployment.environment.name"] == "test"


async def test_from_a_request_by_way_of_jobs_to_a_mail_and_a_webhook(
    collected: Collector, deployment: Deployment, mail: MailServer, inbox: Receiver
) -> None:
    app = await deployment.start(**SETTINGS, JOBS_WORKER="inside", **mail.settings)
    person = await People(app).create(is_verified=True)
    context = {"traceparent": SAMPLED, "tracestate": STATE}
    async with client_of(app, headers=person.headers) as client:
        hook = {"url": f"http://127.0.0.1:{inbox.port}/a-secret-path?key=hidden", "kinds": ["user.updated"]}
        assert (await client.post("/api/v1/webhooks", json=hook)).status_code == 201
        assert (await client.patch("/api/v1/users/me", json={"name": "Ada"}, headers=context)).status_code == 200
    async with client_of(app) as client:
        new = {"email": "zerelda@example.com", "password": PASSWORD}
        answer = await client.post("/api/v1/auth/register", json=new, headers={"traceparent": SAMPLED})
        assert answer.status_code == 201, answer.text

    sent, delivery = await one(collected, "POST", TRACE), await one(collected, "process webhooks.deliver", TRACE)
    assert (sent.kind, sent.parent_id) == ("client", delivery.span_id)
    assert sent.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 204,
        "server.address": "127.0.0.1",
    }
    assert inbox.received[0].headers["traceparent"] == f"00-{TRACE}-{sent.span_id}-01"
    assert inbox.received[0].headers["tracestate"] == STATE
    patch = await one(collected, "PATCH /api/v1/users/me", TRACE)
    listener = next(each for each in collected.spans(TRACE) if each.span_id == delivery.parent_id)
    assert (listener.name, listener.parent_id) == ("process event:webhooks:user.updated", patch.span_id)
    assert (delivery.kind, delivery.attributes["job.attempt"]) == ("consumer", 1)
    assert delivery.attributes["job.outcome"] == "succeeded"
    assert delivery.attributes["request_id"] == patch.attributes["request_id"]

    letter = await one(collected, "SMTP", TRACE)
    assert letter.attributes == {"server.address": "127.0.0.1", "server.port": mail.port}
    assert letter.parent_id in {each.span_id for each in collected.named("process mail.send", TRACE)}
    everything = "".join(each.text for each in collected.spans())
    assert [each for each in ("zerelda", "a-secret-path", "hidden", PASSWORD) if each in everything] == []


NO_TRACES = {
    "nonsense": ["nonsense"],
    "all-zeros": [f"00-{'0' * 32}-{PARENT}-01"],
    "version-ff": [f"ff-{TRACE}-{PARENT}-01"],
    "upper-case": [SAMPLED.upper()],
    "two-of-them": [SAMPLED, SAMPLED],
    "with-state": [f"{SAMPLED} a=b"],
    "too-long": [f"{SAMPLED}-more"],
    "huge-one": ["x" * 9000],
    "not-ascii": ["00-\xfc"],
}


async def test_what_is_no_trace_is_ignored(collected: Collector, deployment: Deployment, capfdbinary: Any) -> None:
    app = await deployment.start(**SETTINGS)
    async with client_of(app) as client:
        for name, values in NO_TRACES.items():
            parents = [(b"traceparent", value.encode("latin-1")) for value in values]
            headers = [*parents, (b"x-request-id", name.encode()), (b"tracestate", b"zerelda=\x01")]
            assert (await client.get("/health", headers=headers)).status_code == 200

    await until(lambda: len(collected.spans()) == len(NO_TRACES))
    assert {each.attributes["request_id"]: each.parent_id for each in collected.spans()} == dict.fromkeys(NO_TRACES, "")
    assert len({each.trace_id for each in collected.spans()} - {TRACE}) == len(NO_TRACES)
    assert b"zerelda" not in capfdbinary.readouterr().out


async def test_a_sampler_is_obeyed_and_a_trace_state_that_is_none_is_dropped(
    collected: Collector, deployment: Deployment, inbox: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    app = await deployment.start(**SETTINGS, JOBS_WORKER="inside")
    person = await People(app).create()
    async with client_of(app, headers=person.headers) as client:
        hook = {"url": f"http://127.0.0.1:{inbox.port}/", "kinds": ["user.updated"]}
        assert (await client.post("/api/v1/webhooks", json=hook)).status_code == 201
        await client.patch("/api/v1/users/me", json={"name": "Ada"}, headers={"tracestate": STATE})
        await until(lambda: len(inbox.received) == 1)
        headers = {"traceparent": SAMPLED, "tracestate": "no state"}
        await client.patch("/api/v1/users/me", json={"name": "Bea"}, headers=headers)
        await until(lambda: len(inbox.received) == 2)

    await one(collected, "POST", TRACE)
    assert {each.trace_id for each in collected.spans()} == {TRACE}
    assert collected.resource()["service.name"] == "ours"
    unsampled, sampled = (each.headers for each in inbox.received)
    assert int(unsampled["traceparent"][-2:], 16) % 2 == 0
    assert sampled["traceparent"].startswith(f"00-{TRACE}-")
    assert "tracestate" not in {*unsampled, *sampled}


async def test_a_failed_request_and_the_log(
    collected: Collector, deployment: Deployment, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await deployment.start(**SETTINGS, LOG_LEVEL="info")
    async with client_of(app) as client:
        with monkeypatch.context() as broken:
            broken.setattr(core_of(app).database.reader, "fetch", _fail)
            answer = await client.get(f"/api/v1/profiles/{UNKNOWN}", headers={"traceparent": SAMPLED})
    assert answer.status_code == 500

    request = await one(collected, "GET /api/v1/profiles/{user_id}", TRACE)
    assert (request.is_failed, request.attributes["error.type"]) == (True, "LookupError")
    assert not any(each in request.text for each in ("zerelda", UNKNOWN))
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines() if line.startswith(b"{")]
    about = {each["event"]: each for each in lines if each.get("request_id") == answer.headers["x-request-id"]}
    assert {"request", "request.failed"} <= about.keys()
    assert {(each["trace_id"], each["span_id"]) for each in about.values()} == {(TRACE, request.span_id)}


async def _fail(_sql: str, _arguments: object) -> Any:
    raise LookupError("zerelda")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
)
def test_traces_can_be_off(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert endpoint()
    monkeypatch.setenv(variable, value)
    assert not endpoint()


async def test_an_app_without_traces_has_none(
    collected: Collector, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    app = await deployment.start(**SETTINGS, API_CONTACT_EMAIL="off@example.com")
    async with client_of(app) as client:
        assert (await client.get("/health", headers={"traceparent": SAMPLED})).status_code == 200
    assert (Tracing.active, collected.bodies) == (None, [])


async def test_a_collector_that_is_away_or_says_nothing_harms_no_request(
    monkeypatch: pytest.MonkeyPatch, deployment: Deployment
) -> None:
    """Neither while it runs nor when it ends: what cannot be sent is lost."""
    async with receiver(tls=False) as gone:
        port = gone.port
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    monkeypatch.setattr("app.lib.observability.opentelemetry.FLUSH_SECONDS", 0.2)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    for each in (port, silent.sockets[0].getsockname()[1]):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{each}")
        app: Litestar = await deployment.start(**SETTINGS, SMTP_PORT=str(each))
        async with client_of(app) as client:
            answers: list[httpx.Response] = [await client.get("/health") for _ in range(50)]
        assert {each.status_code for each in answers} == {200}
    silent.close()
