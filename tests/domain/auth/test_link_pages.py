"""The pages behind mailed links: they need no script, and looking at them changes nothing."""

import json
import logging

import httpx
import pytest
from litestar import Litestar

from tests.domain.auth.steps import REGISTER, sign_in
from tests.support.apps import Deployment, client_of
from tests.support.links import Received, newest, received
from tests.support.people import PASSWORD

ADA, OTHER = "ada@example.com", "an even finer day"
FORM = '<form method="post">'


async def register(app: Litestar) -> Received:
    async with client_of(app) as client:
        await client.post(REGISTER, json={"email": ADA, "password": PASSWORD}, headers={"Accept-Language": "de-CH"})
    return await newest(app, "verify_email")


def is_page(response: httpx.Response, status: int, *, language: str = "en") -> bool:
    """With the headers of a page that carries a secret."""
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "form-action 'self'" in policy
    assert "script" not in policy + response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["content-language"] == language
    assert f'<html lang="{language}">' in response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.status_code == status


@pytest.mark.asvs("6.4.4")
async def test_who_looks_at_a_page_uses_nothing_up(app: Litestar, client: httpx.AsyncClient) -> None:
    """Mail filters follow links, with GET and HEAD, before a person does."""
    mail = await register(app)
    for method in ("GET", "HEAD", "GET"):
        seen = await client.request(method, mail.path, params={"token": mail.token, "utm_source": "mail"})
        assert seen.status_code == 200
    page = await client.get(mail.path)
    assert is_page(page, 200)
    assert FORM in page.text

    done = await client.post(mail.path, data={"password": PASSWORD})
    again = await client.post(mail.path, data={"password": PASSWORD})
    afterwards = await client.get(mail.path)

    assert is_page(done, 200)
    assert "confirmed" in done.text
    for page in (again, afterwards):
        assert is_page(page, 404)
        assert FORM not in page.text


async def test_a_password_that_is_refused_can_be_mended_on_the_page(app: Litestar, client: httpx.AsyncClient) -> None:
    mail = await register(app)
    german = {"Accept-Language": "de-CH, en;q=0.5"}

    for body, text in (
        ({"password": "short"}, "zu kurz"),
        ({"password": "password1"}, "leicht zu erraten"),
        ({}, "nicht"),
    ):
        page = await client.post(mail.path, data=body, headers=german)
        assert is_page(page, 422, language="de")
        assert text in page.text
        assert FORM in page.text
        assert "short" not in page.text
    done = await client.post(mail.path, data={"password": OTHER}, headers=german)

    assert is_page(done, 200, language="de")
    assert "bestätigt" in done.text
    assert (await sign_in(client, ADA, OTHER)).status_code == 200


async def test_what_was_not_mailed_is_no_link(app: Litestar, client: httpx.AsyncClient) -> None:
    mail = await register(app)
    page, _, token = mail.path.partition("?token=")
    wrongs = (
        "",
        "x",
        token[:-1],
        token + "x",
        token.swapcase(),
        "é" * 43,
        "x" * 5_000,
        "%00",
        "%ff",
        "%ed%a0%80",
        "a&token=b",
    )
    for wrong in wrongs:
        for method in ("GET", "POST"):
            answer = await client.request(method, f"{page}?token={wrong}", data={"password": PASSWORD})
            assert is_page(answer, 404), (wrong, answer.text)
    for path in ("/account/nothing", f"/account/reset-password?token={token}", "/account/verify_email", "/account/%00"):
        for method in ("GET", "POST"):
            assert (await client.request(method, path, data={"password": PASSWORD})).status_code == 404

    assert (await client.post(mail.path, data={"password": PASSWORD})).status_code == 200


async def test_only_a_form_is_taken(app: Litestar, client: httpx.AsyncClient) -> None:
    mail = await register(app)
    answers = [
        await client.post(mail.path, json={"password": PASSWORD}),
        await client.post(mail.path, content=b"password=" + PASSWORD.encode(), headers={"Content-Type": "text/plain"}),
        await client.post(mail.path, data={"password": PASSWORD, "is_superuser": "true"}),
        await client.post(mail.path, data={"password": [PASSWORD, OTHER]}),
        await client.put(mail.path, data={"password": PASSWORD}),
    ]

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    hostile = [b"password=%ff", b"password=\xff", b"password=a%00b", b"a&" * 1_000, b"&&===;", b"p=" + b"v" * 20_000]
    answers += [await client.post(mail.path, content=content, headers=headers) for content in hostile]

    assert [each.status_code for each in answers] == [415, 415, 404, 422, 405, 400, 400, 422, 404, 404, 413]
    assert (await client.post(mail.path, data={"password": PASSWORD})).status_code == 200


async def test_links_lead_to_a_front_end_where_there_is_one(deployment: Deployment) -> None:
    """And to the address that people use, never to the one that a request names."""
    urls: list[str] = []
    for settings in (
        {"PUBLIC_URL": "https://api.example.com"},
        {"PUBLIC_URL": "https://api.example.com", "PUBLIC_APP_URL": "https://www.example.com"},
    ):
        app = await deployment.start(**settings)
        async with client_of(app, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}) as client:
            body = {"email": f"ada{len(urls)}@example.com", "password": PASSWORD}
            assert (await client.post(REGISTER, json=body)).status_code == 201
        urls.append((await newest(app, "verify_email")).url.partition("?")[0])

    assert urls == ["https://api.example.com/account/verify-email", "https://www.example.com/account/verify-email"]


async def test_the_mail_is_in_the_language_of_who_registered(app: Litestar) -> None:
    mail = await register(app)

    assert "bitte bestätige" in mail.text


async def test_no_secret_reaches_the_log_or_the_jobs(
    app: Litestar,
    client: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.INFO, "app"):
        mail = await register(app)
        await client.get(mail.path)
        await client.post(mail.path, data={"password": OTHER})
        await received(app)

    written = capfd.readouterr().out
    assert [line["path"] for line in map(json.loads, written.splitlines()) if line["event"] == "request"] == [
        REGISTER, "/account/verify-email", "/account/verify-email",
    ]  # fmt: skip
    for secret in (mail.token, mail.code, OTHER):
        assert secret not in written
