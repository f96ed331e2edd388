"""One click ends a topic's mails, without a sign-in (RFC 8058)."""

import json
import logging
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from app.domain.notifications.services.links import UnsubscribeLinks
from app.lib.db.base import new_id
from app.lib.db.url import DatabaseURL
from tests.domain.accounts.answers import is_refused
from tests.domain.notifications.steps import MINE, ONE_CLICK, UNSUBSCRIBE, composed, confirmed
from tests.support.apps import BASE_URL, client_of, core_of, running_app
from tests.support.people import People, Person

BOUNDARY = "multipart/form-data; boundary=x"
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'


def token_for(app: Litestar, user_id: UUID) -> str:
    return core_of(app).services.get(UnsubscribeLinks).token(user_id, "getting_started")


async def wants_mail(people: People, person: Person) -> bool:
    async with people.client(person) as calls:
        wanted: bool = (await calls.get(MINE)).json()["getting_started"]
        return wanted


async def test_the_link_in_a_mail_ends_these_mails(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.sign_in(await confirmed(app, client), "ada@example.com")
    (mail,) = await composed(app, "welcome")
    assert mail.unsubscribe_url is not None
    url = mail.unsubscribe_url.replace(core_of(app).settings.base_url, BASE_URL)

    answers = [await client.post(url, data=ONE_CLICK) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].headers["content-type"].startswith("text/html")
    assert not await wants_mail(people, person)


async def test_mail_programs_may_send_either_form(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    url = f"{UNSUBSCRIBE}?token={token_for(app, person.id)}"

    answer = await client.post(url, content=MULTIPART, headers={"Content-Type": BOUNDARY})

    assert answer.status_code == 200
    assert not await wants_mail(people, person)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_at_the_page_changes_nothing(
    app: Litestar, client: httpx.AsyncClient, people: People, method: str
) -> None:
    """Filters follow the links in a mail before a person does."""
    person = await people.create()
    page = await client.request(method, UNSUBSCRIBE, params={"token": token_for(app, person.id)})

    assert page.status_code == 200
    assert await wants_mail(people, person)


async def test_the_page_asks_in_the_readers_language(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    token = token_for(app, (await people.create()).id)
    texts = {}
    for language in ("de-CH, en;q=0.5", "fr", "en;q=0.1, de;q=0", ""):
        page = await client.get(UNSUBSCRIBE, params={"token": token}, headers={"Accept-Language": language})
        texts[language] = page.headers["content-language"], "Abbestellen" in page.text
        assert '<form method="post">' in page.text
        assert '<input type="hidden" name="List-Unsubscribe" value="One-Click">' in page.text
        assert "form-action 'self'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"
        assert "script" not in page.text

    assert list(texts.values()) == [("de", True), ("en", False), ("en", False), ("en", False)]


async def test_the_answer_does_not_say_whether_the_user_exists(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    someone, missing = (await people.create()).id, new_id()
    for method, body in (("GET", None), ("POST", ONE_CLICK)):
        answers = [
            await client.request(method, UNSUBSCRIBE, params={"token": token_for(app, user_id)}, data=body)
            for user_id in (someone, missing)
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert answers[0].text == answers[1].text


def tampered(token: str, other: UUID) -> list[str]:
    topic, _, signed = token.partition(".")
    foreign = UnsubscribeLinks("", b"x" * 32).token(other, topic)
    return [
        f"news.{signed}", signed, f".{signed}", f"{topic}.", topic, f"{topic}.{signed}=", f"{topic}.{signed}A",
        f"{topic}.{signed[:-1]}{'A' if signed[-1] != 'A' else 'E'}", f"{topic}.{'A' * 43}", f"{topic}.{'é' * 43}",
        f"{topic}.{'-' * 42}\n", foreign, "x" * 200, "",
    ]  # fmt: skip


async def test_what_we_did_not_make_is_no_link(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    for token in tampered(token_for(app, person.id), person.id):
        answer = await client.post(UNSUBSCRIBE, params={"token": token}, data=ONE_CLICK)
        assert is_refused(answer, 404, "not_found"), token
        page = await client.get(UNSUBSCRIBE, params={"token": token})
        assert page.status_code == (404 if token else 200)
        assert "<form" not in page.text

    assert await wants_mail(people, person)


NOT_ONE_CLICK = [
    (None, b"", 422),
    ("application/x-www-form-urlencoded", b"", 422),
    ("application/x-www-form-urlencoded", b"List-Unsubscribe=yes", 422),
    ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click&List-Unsubscribe=no", 422),
    ("application/x-www-form-urlencoded", b"\xff\xfe", 400),
    ("application/x-www-form-urlencoded", b"a&" * 1000, 422),
    ("application/json", b'{"List-Unsubscribe": "One-Click"}', 415),
    ("text/plain", b"List-Unsubscribe=One-Click", 415),
    ("multipart/form-data", MULTIPART, 422),
    (BOUNDARY, b"nonsense", 400),
    (BOUNDARY, MULTIPART.replace(b"One-Click", b"Two-Click"), 422),
    (BOUNDARY, MULTIPART[:-20], 400),
    (BOUNDARY, MULTIPART.replace(b'Unsubscribe"', b'Unsubscribe"; filename="x"'), 422),
]


async def test_anything_else_than_one_click_changes_nothing(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    token = {"token": token_for(app, person.id)}
    for content_type, content, status in NOT_ONE_CLICK:
        headers = {"Content-Type": content_type} if content_type else {}

        answer = await client.post(UNSUBSCRIBE, params=token, content=content, headers=headers)

        assert answer.status_code == status, answer.text
    assert await wants_mail(people, person)


async def test_links_outlive_a_change_of_the_secret(shared_app: Litestar, database_url: DatabaseURL) -> None:
    old = token_for(shared_app, new_id())
    secrets = {"SECRET_KEY": "another-key-that-is-only-for-tests-0123"}
    fallback = {**secrets, "SECRET_KEY_FALLBACKS": "a-key-that-is-only-for-tests-0123456789"}
    statuses = []
    for environ in (secrets, fallback):
        async with running_app(database_url, **environ) as app, client_of(app) as client:
            statuses.append((await client.post(UNSUBSCRIBE, params={"token": old}, data=ONE_CLICK)).status_code)

    assert statuses == [404, 200]


async def test_no_token_reaches_the_log(
    app: Litestar,
    client: httpx.AsyncClient,
    people: People,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    token = token_for(app, (await people.create()).id)
    with caplog.at_level(logging.INFO, "app"):
        await client.get(UNSUBSCRIBE, params={"token": token})
        await client.post(UNSUBSCRIBE, params={"token": token}, data=ONE_CLICK)

    written = capfd.readouterr().out
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["path"] for line in lines if line["event"] == "request"] == [UNSUBSCRIBE] * 2
    assert token not in written
