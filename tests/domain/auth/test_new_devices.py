"""A mail to a user who has signed in from a device that is not known [ASVS 6.3.5]."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import time_machine
from litestar import Litestar

from tests.domain.auth.steps import REGISTER, STRANGER, refresh, sign_in
from tests.domain.notifications.steps import composed
from tests.support.apps import ADDRESS, client_of
from tests.support.links import run_mail_jobs
from tests.support.people import PASSWORD, People

pytestmark = pytest.mark.asvs("6.3.5")

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}) Gecko/20100101 Firefox/{0}"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/18 Safari/604"
)


async def enter(app: Litestar, email: str, address: str, agent: str) -> dict[str, str]:
    async with client_of(app, address=address, headers={"User-Agent": agent}) as client:
        response = await sign_in(client, email)
    assert response.status_code == 200, response.text
    pair: dict[str, str] = response.json()
    return pair


async def notices(app: Litestar) -> list[str]:
    """The texts of the mails so far."""
    await run_mail_jobs(app)
    return [mail.text for mail in await composed(app, "new_device")]


async def test_a_new_device_is_mailed_and_a_known_one_is_not(app: Litestar, people: People) -> None:
    person = await people.create()

    await enter(app, person.email, STRANGER, FIREFOX.format("133.0"))
    [text] = await notices(app)
    assert "Device: Firefox, Linux" in text.splitlines()
    assert f"Internet address: {STRANGER}" in text.splitlines()
    assert "UTC" in text
    assert "change your password at once" in text

    await enter(app, person.email, STRANGER, FIREFOX.format("134.0.1"))  # another version
    await enter(app, person.email, STRANGER.replace(".9", ".77"), FIREFOX.format("134.0.1"))  # in the same network
    assert len(await notices(app)) == 1

    await enter(app, person.email, ADDRESS, FIREFOX.format("134.0.1"))  # another network
    await enter(app, person.email, STRANGER, IPHONE)
    assert ["Safari, iPhone" in text for text in await notices(app)] == [False, False, True]


async def test_the_first_sign_in_after_a_registration_is_no_news_but_one_after_a_long_time_is(
    app: Litestar, client: httpx.AsyncClient
) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD}
    for email in ("ada@example.com", "eve@example.com"):
        assert (await client.post(REGISTER, json={**body, "email": email})).status_code == 201

    await enter(app, "ada@example.com", STRANGER, IPHONE)
    assert await notices(app) == []

    with time_machine.travel(timedelta(days=2)):
        await enter(app, "eve@example.com", STRANGER, IPHONE)
        assert len(await notices(app)) == 1


async def test_neither_a_wrong_password_nor_a_refresh_is_a_sign_in(app: Litestar, people: People) -> None:
    person = await people.create()

    async with client_of(app, address=STRANGER) as client:
        assert (await sign_in(client, person.email, "a wrong one")).status_code == 401
        assert (await refresh(client, person.refresh_token)).status_code == 200
    assert await notices(app) == []

    async with client_of(app, address=STRANGER) as client:  # and the refresh has made the device no known one
        assert (await sign_in(client, person.email)).status_code == 200
    assert len(await notices(app)) == 1


async def test_a_user_is_mailed_about_five_devices_a_day_at_most(app: Litestar, people: People) -> None:
    person = await people.create()

    for number in range(8):
        await enter(app, person.email, f"198.51.{number}.1", "curl/8")

    texts = await notices(app)
    assert len(texts) == 5
    assert all("Device: a program that we do not know" in text for text in texts)


async def test_parallel_sign_ins_from_a_new_device_are_one(app: Litestar, people: People) -> None:
    """None of them sees the others, and they must not use up the mails of the day."""
    person = await people.create()

    await asyncio.gather(*[enter(app, person.email, STRANGER, IPHONE) for _ in range(6)])
    assert len(await notices(app)) == 1
    for number in range(5):
        await enter(app, person.email, f"198.51.{number}.1", "curl/8")
    assert len(await notices(app)) == 5


async def test_the_mail_is_in_the_language_of_the_person(app: Litestar, people: People) -> None:
    person = await people.create(locale="de-AT")

    await enter(app, person.email, STRANGER, IPHONE)

    [text] = await notices(app)
    assert "Gerät: Safari, iPhone" in text
    assert "ändere sofort dein Passwort" in text
