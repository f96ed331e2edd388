"""``app security-check``: a good deployment passes, and each fault is found by the check that is for it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar import Litestar

from app.cli.security_check import accounts, inputs, responses, tokens
from app.cli.security_check.command import CHECKS, run_checks
from app.cli.security_check.target import Account, Answer, Broken, Check, RawHeaders, Send, Skipped, Target
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.support.apps import Deployment, client_of, make_core
from tests.support.people import PASSWORD, People
from tests.support.processes import Server, app_command, free_port

pytestmark = pytest.mark.asvs("3.4.3", "6.3.1", "6.3.8", "8.2.2", "9.1.1", "9.2.2", "15.3.3")

EMAIL = "checker@example.com"
Fault = Callable[[Send, str, str, RawHeaders, bytes], Awaitable[Answer]]
"""A proxy that does to a deployment what its name says."""


def sender(client: httpx.AsyncClient) -> Send:
    """Sends to the app in this process, paths as they are."""

    async def send(method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
        url = client.base_url.copy_with(raw_path=path.encode("latin-1"))
        response = await client.request(method, url, headers=httpx.Headers(headers), content=content)
        return Answer(response.status_code, dict(response.headers), response.content)

    return send


@pytest_asyncio.fixture
async def good(deployment: Deployment) -> AsyncIterator[tuple[Litestar, Send]]:
    app = await deployment.start(METRICS_TOKEN="a-token-for-metrics-0123456789")
    await People(app).create(email=EMAIL)
    async with client_of(app) as client:
        yield app, sender(client)


async def test_a_good_service_passes_with_an_account_and_without(good: tuple[Litestar, Send]) -> None:
    _, send = good
    with_account = await run_checks(send, credentials=(EMAIL, PASSWORD))

    assert {result.check: result.found for result in with_account if result.status != "ok"} == {
        "TLS is 1.2 or newer, and HSTS is sent": "not https"
    }
    assert len(with_account) == len(CHECKS)
    assert all(result.asvs for result in with_account)


async def test_headers_that_count_from_here_are_no_fault_of_a_near_service(deployment: Deployment) -> None:
    app = await deployment.start(TRUSTED_PROXIES="127.0.0.1")
    async with client_of(app, address="127.0.0.1") as client:
        send = sender(client)

        async def near(method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
            return msgspec.structs.replace(await send(method, path, headers, content), is_near=True)

        with pytest.raises(Skipped, match="cannot be checked from here"):
            await accounts.limited.run(Target(near))
        with pytest.raises(Broken, match="TRUSTED_PROXIES"):
            await accounts.limited.run(Target(send))


def altered(found: Answer, *, status: int | None = None, body: bytes | None = None, **headers: str | None) -> Answer:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in {**found.headers, **changed}.items() if value is not None}
    return Answer(found.status if status is None else status, kept, found.body if body is None else body)


def answers(**changes: Any) -> Fault:
    """Whose answers differ by this from good ones."""

    async def fault(send: Send, method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
        return altered(await send(method, path, headers, content), **changes)

    return fault


async def distinguishes_accounts(send: Send, method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
    found = await send(method, path, headers, content)
    return altered(found, body=b'{"known":true}') if EMAIL.encode() in content else found


async def distinguishes_addresses(send: Send, method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
    return altered(await send(method, path, headers, content), body=b"{}", x_user=content.decode())


async def keeps_sessions(send: Send, method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
    return Answer(204, {}, b"") if path.endswith("/logout") else await send(method, path, headers, content)


async def stores_accounts(send: Send, method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
    found = await send(method, path, headers, content)
    return altered(found, cache_control="private, max-age=60") if found.status == 200 else found


async def frames_what_is_well(send: Send, method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
    found = await send(method, path, headers, content)
    return altered(found, content_security_policy=None) if found.status == 200 else found


FAILING, OPEN = answers(status=500), answers(status=200)
FAULTS: list[tuple[Fault, Check]] = [
    (answers(x_content_type_options=None), responses.headers),
    (answers(content_security_policy="default-src 'self'"), responses.headers),
    (answers(server="granian/2.8.7"), responses.software),
    (answers(body=b"Traceback (most recent call last)"), responses.errors),
    (FAILING, responses.errors),
    (answers(cache_control="public, max-age=60"), responses.caching),
    (stores_accounts, responses.caching),
    (OPEN, responses.development),
    (OPEN, responses.methods),
    (OPEN, responses.paths),
    (answers(access_control_allow_origin="https://evil.example"), responses.cors),
    (answers(status=101), responses.websocket),
    (answers(status=401), responses.websocket),
    (frames_what_is_well, responses.headers),
    (FAILING, inputs.bodies),
    (OPEN, inputs.bodies),
    (OPEN, inputs.types),
    (OPEN, inputs.members),
    (OPEN, inputs.queries),
    (FAILING, inputs.long_headers),
    (answers(x_request_id="<script>"), inputs.long_headers),
    (OPEN, tokens.forged),
    (answers(www_authenticate=None), tokens.forged),
    (answers(www_authenticate=None), tokens.challenges),
    (OPEN, tokens.challenges),
    (answers(body=b'{"keys":[{"kty":"OKP","d":"x"}]}'), tokens.published_keys),
    (OPEN, tokens.elsewhere),
    (OPEN, tokens.kinds),
    (distinguishes_accounts, accounts.uniform),
    (distinguishes_addresses, accounts.forgotten),
    (OPEN, accounts.mass_assignment),
    (OPEN, accounts.others),
    (keeps_sessions, accounts.signed_out),
    (answers(status=401), accounts.limited),
]


async def test_each_fault_is_found_by_its_check(good: tuple[Litestar, Send]) -> None:
    app, send = good
    people = People(app)
    for fault, check in FAULTS:
        person = await people.create()

        async def faulty(method: str, path: str, headers: RawHeaders, content: bytes, fault: Fault = fault) -> Answer:
            return await fault(send, method, path, headers, content)

        target = Target(faulty)
        signed_in = Answer(200, {"cache-control": "no-store"}, b"")
        target.account = Account(EMAIL, person.access_token, person.refresh_token, signed_in)
        with pytest.raises(Broken):
            await check.run(target)

    covered = {check.title for _, check in FAULTS} | {responses.tls.title}
    assert covered == {check.title for check in CHECKS}


async def test_transport_security_is_asked_for_with_https_alone() -> None:
    async def weak(*_: object) -> Answer:
        return Answer(401, {"strict-transport-security": "max-age=60"}, b"", "TLSv1.2")

    async def old(*_: object) -> Answer:
        return Answer(401, {"strict-transport-security": "max-age=63072000"}, b"", "TLSv1.1")

    for send in (weak, old):
        with pytest.raises(Broken):
            await responses.tls.run(Target(send, is_https=True))
        with pytest.raises(Skipped):
            await responses.tls.run(Target(send))


def test_the_command_reports_on_a_running_service(own_url: DatabaseURL, cli: Cli, tmp_path: Path) -> None:
    port, secret = free_port(), "a-key-that-is-only-for-tests-0123456789"
    environ = {
        "DATABASE_URL": own_url.url.render_as_string(hide_password=False),
        "SECRET_KEY": secret,
        "METRICS_TOKEN": "a-token-for-metrics-0123456789",
        "ENVIRONMENT": "test",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    url = f"http://127.0.0.1:{port}"

    async def person() -> None:
        core = make_core(own_url)
        await People(core).create(email=EMAIL)
        await core.database.close()

    asyncio.run(person())
    with Server(app_command("serve", "--port", str(port)), tmp_path, port, environ) as server:
        server.until_it_answers("/health/ready")
        result = cli("security-check", url, "--account", EMAIL, "--json", stdin=f"{PASSWORD}\n")
        found = msgspec.json.decode(result.stdout)
        assert [each for each in found if each["status"] == "failed"] == []
        assert [each["status"] for each in found if "6.3.1" in each["asvs"]] == ["skipped"]
        assert result.exit_code == 0
        wrong = cli("security-check", url, "--account", "no-one@example.com", SECURITY_CHECK_PASSWORD="wrong")
        assert "was refused" in refusal(wrong, 2)

    assert "does not answer" in refusal(cli("security-check", url), 2)
    for nonsense in ("lodestar.example", "http://127.0.0.1:99999", "http://service.example/?page=1", "http://a..b"):
        assert "expected" in refusal(cli("security-check", nonsense), 2)


async def test_what_fails_is_in_the_table_and_the_exit_code(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    async def nothing() -> None: ...

    async def send(*_: object) -> Answer:
        return Answer(200, {}, b'{"status":"ok"}')

    monkeypatch.setattr("app.cli.security_check.command.over_network", lambda *_, **__: (send, False, nothing))
    result = await asyncio.to_thread(cli, "security-check", "http://service.example")

    assert re.search(r"^3\.4\.3,3\.4\.4,3\.4\.5,3\.4\.6 +failed +Answers cannot be framed", result.stdout, re.MULTILINE)
    assert "checks failed" in refusal(result, 1)


@pytest.mark.parametrize(("status", "retry_after"), [(503, "0"), (429, "Wed, 21 Oct 2026 07:28:00 GMT"), (502, "x")])
async def test_what_was_refused_for_load_was_not_checked(status: int, retry_after: str) -> None:
    """No answer to a request that was not looked at says that something holds."""

    async def send(_method: str, path: str, *_: object) -> Answer:
        return (
            Answer(200, {}, b'{"status":"ok"}')
            if path == "/health"
            else Answer(status, {"retry-after": retry_after}, b"")
        )

    found = {result.check: result.status for result in await run_checks(send)}

    assert "ok" not in found.values()
    assert found[accounts.limited.title] == "failed"
