"""``/dev/mail``: what a development server would have mailed."""

import re
from contextlib import AsyncExitStack
from html import unescape
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.lib.db.url import DatabaseURL
from app.lib.mail.delivery import Deliverer
from app.lib.mail.mailer import NewMail
from tests.domain.notifications.steps import confirmed, mails
from tests.support.apps import Deployment, client_of, core_of, running_app
from tests.support.strangers import LOCAL, STRANGERS

MAILBOX = "/dev/mail"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "u6Yp3ZrQw9Lk2Vx8Nt4Bs7Hd1Fg5Jc0Ma",
    "PUBLIC_URL": "https://api.example.com",
}


@pytest_asyncio.fixture
async def developer(development: Litestar) -> httpx.AsyncClient:
    return client_of(development, address="127.0.0.1", base_url=LOCAL)


async def test_a_new_mailbox_is_empty(developer: httpx.AsyncClient) -> None:
    page = await developer.get(MAILBOX)

    assert page.status_code == 200
    assert "There is no mail yet." in page.text


async def test_who_registers_finds_their_mail_there(development: Litestar, developer: httpx.AsyncClient) -> None:
    await confirmed(development, developer)
    (row,) = await mails(development, "welcome")

    listed = await developer.get(MAILBOX)
    shown = await developer.get(f"{MAILBOX}/{row.id}")

    assert f'<a href="{MAILBOX}/{row.id}">Welcome to Lodestar</a>' in listed.text
    assert "<td>ada@example.com</td>" in listed.text
    assert shown.status_code == 200
    assert f"<td>{row.message_id}</td>".replace("<" + row.message_id[1:], "&lt;" + row.message_id[1:-1] + "&gt;") in (
        shown.text
    )
    links = re.findall(r'<a href="(http[^"]+)" target="_blank"', shown.text)
    assert any("/notifications/unsubscribe?token=" in unescape(link) for link in links)


async def test_the_html_is_locked_into_a_frame(development: Litestar, developer: httpx.AsyncClient) -> None:
    await confirmed(development, developer)
    (row,) = await mails(development, "welcome")

    page = await developer.get(f"{MAILBOX}/{row.id}")

    frame = re.search(r'<iframe [^>]*sandbox="([^"]*)" srcdoc="([^"]*)"></iframe>', page.text)
    assert frame is not None
    assert frame[1] == "allow-popups allow-popups-to-escape-sandbox"
    assert unescape(frame[2]).startswith("<!doctype html>")
    assert '<base target="_blank">' in unescape(frame[2])
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"


async def test_secret_links_can_be_clicked_after_the_mail_went_out(
    development: Litestar, developer: httpx.AsyncClient
) -> None:
    core = core_of(development)
    evil = '"><script>alert(1)</script>'
    async with core.database.independent() as unit:
        await core.mailer.queue(
            unit,
            NewMail(
                kind=evil,
                business_id="1",
                to_address=f"{evil.replace('@', '')}@example.com",
                locale="en",
                template="test",
                secrets={"token": "abc"},
            ),
        )
    (row,) = await mails(development)
    await core.services.get(Deliverer).deliver(row.id)

    assert (await mails(development))[0].secrets is not None
    listed = await developer.get(MAILBOX)
    assert listed.status_code == 200
    assert "<script" not in listed.text
    assert "(cannot be composed)" in listed.text
    assert (await developer.get(f"{MAILBOX}/{row.id}")).status_code == 404


async def test_what_is_not_there_is_404(developer: httpx.AsyncClient) -> None:
    assert (await developer.get(f"{MAILBOX}/{uuid4()}")).status_code == 404
    assert (await developer.get(f"{MAILBOX}/nonsense")).status_code == 404


async def test_it_is_for_the_developer_at_this_machine(deployment: Deployment) -> None:
    """Neither pages of other sites and ports, nor who comes through a proxy or by a name that is led here."""
    settings = {"HOST": "::", "ALLOW_DEVELOPMENT_ON_NETWORK": "true", "TRUSTED_PROXIES": "203.0.113.7,127.0.0.1"}
    app = await deployment.start(ENVIRONMENT="development", PUBLIC_URL="https://tunnel.example.com", **settings)
    async with AsyncExitStack() as stack:

        async def read(headers: dict[str, str], peer: str = "127.0.0.1", base: str = LOCAL) -> httpx.Response:
            client = await stack.enter_async_context(client_of(app, address=peer, base_url=base))
            linked = MAILBOX in (await client.get("/", headers=headers)).text
            mails = await client.get(MAILBOX, headers=headers)
            assert linked == (mails.status_code == 200)
            return mails

        for headers, peer, base in [*STRANGERS, ({}, "127.0.0.1", "https://tunnel.example.com")]:
            assert (await read(headers, peer, base)).status_code in {400, 404}, headers
        for peer, base in (
            ("::1", "http://[::1]:8000"),
            ("::ffff:127.0.0.1", "http://127.0.0.1"),
            ("127.0.0.1", "http://shop.localhost:8000"),
        ):
            assert (await read({"Sec-Fetch-Site": "none"}, peer, base)).status_code == 200
        own = await read({"Origin": LOCAL, "Sec-Fetch-Site": "same-origin"})
        assert (own.status_code, own.headers["cross-origin-resource-policy"]) == (200, "same-origin")


@pytest.mark.parametrize("environ", [{}, PRODUCTION], ids=["test", "production"])
async def test_it_is_there_in_development_only(database_url: DatabaseURL, environ: dict[str, str]) -> None:
    async with running_app(database_url, **environ) as app, client_of(app, address="127.0.0.1") as client:
        assert (await client.get(MAILBOX, headers={"Host": "localhost"})).status_code == 404
