"""Two people talk on the demo page, each in a browser of their own."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import PATIENCE, Service, Traffic

BOB = "bob@example.com"


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service below a path that may be restarted."""
    service = Service(tmp_path_factory.mktemp("harbour"), "/team/lodestar")
    try:
        service.start()
        service.register()
        service.register(BOB, "Bob")
        yield service
    finally:
        service.stop()


@pytest.fixture
async def contexts(browser: Browser) -> AsyncIterator[list[BrowserContext]]:
    """Two browsers: neither shares anything with the other."""
    contexts = [await browser.new_context(viewport={"width": 1000, "height": 800}) for _ in range(2)]
    for context in contexts:
        context.set_default_timeout(PATIENCE * 500)
    yield contexts
    for context in contexts:
        await context.close()


async def sign_in(context: BrowserContext, service: Service, email: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{service.base_url}/demo/chat")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(service.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("status")).to_have_text("connected")
    return page


async def make_room(page: Page, name: str) -> None:
    await page.get_by_label("New room").fill(name)
    await page.get_by_role("button", name="Create", exact=True).click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()


async def enter_room(page: Page, name: str) -> None:
    await page.get_by_role("list").get_by_role("button", name=name, exact=True).click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.get_by_role("button", name="Send").click()


def messages(page: Page) -> Locator:
    return page.get_by_role("log").locator(".message")


async def test_two_people_see_each_other_and_what_they_say(harbour: Service, contexts: list[BrowserContext]) -> None:
    ada = await sign_in(contexts[0], harbour, harbour.email)
    ada_traffic = Traffic(ada)
    await make_room(ada, "harbour")
    bob = await sign_in(contexts[1], harbour, BOB)
    await enter_room(bob, "harbour")
    for page in (ada, bob):
        await expect(page.locator("#present")).to_have_text("Here: Ada Lovelace, Bob")

    await say(ada, "Ahoy")
    await say(bob, "<img src=x onerror=alert(1)> Ahoy & welcome")
    for page in (ada, bob):
        await expect(messages(page)).to_have_text(
            ["Ada Lovelace: Ahoy", "Bob: <img src=x onerror=alert(1)> Ahoy & welcome"]
        )
    assert ada_traffic.leaving(harbour.base_url) == []
    assert ada_traffic.complaints == []

    await bob.close()
    await expect(ada.locator("#present")).to_have_text("Here: Ada Lovelace")


async def test_who_comes_later_reads_what_was_said(harbour: Service, contexts: list[BrowserContext]) -> None:
    ada = await sign_in(contexts[0], harbour, harbour.email)
    await make_room(ada, "pier")
    for number in range(3):
        await say(ada, f"message {number}")
    await expect(messages(ada)).to_have_count(3)

    bob = await sign_in(contexts[1], harbour, BOB)
    await enter_room(bob, "pier")

    await expect(messages(bob)).to_have_text([f"Ada Lovelace: message {number}" for number in range(3)])


async def test_a_restart_of_the_server_loses_nothing(harbour: Service, contexts: list[BrowserContext]) -> None:
    ada = await sign_in(contexts[0], harbour, harbour.email)
    await make_room(ada, "lighthouse")
    bob = await sign_in(contexts[1], harbour, BOB)
    await enter_room(bob, "lighthouse")
    await say(ada, "before")
    await expect(messages(bob)).to_have_count(1)

    await asyncio.to_thread(harbour.stop)
    await expect(ada.get_by_role("status")).to_have_text(re.compile("connecting"))
    await say(ada, "in between")
    await asyncio.to_thread(harbour.start)

    for page in (ada, bob):
        await expect(page.get_by_role("status")).to_have_text("connected")
        await expect(messages(page)).to_have_text(["Ada Lovelace: before", "Ada Lovelace: in between"])


async def test_a_newcomer_makes_an_account_and_a_wrong_password_is_shown(
    harbour: Service, contexts: list[BrowserContext]
) -> None:
    page = await contexts[0].new_page()
    await page.goto(f"{harbour.base_url}/demo/chat")
    await page.get_by_label("E-mail").fill("cy@example.com")
    await page.get_by_label("Password").fill("a fine day to sail")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()

    await page.get_by_text("No account yet?").click()
    await page.get_by_label("Name", exact=True).fill("Cy")
    await page.get_by_role("button", name="Create an account").click()

    await expect(page.get_by_role("status")).to_have_text("connected")
    await make_room(page, "cy-room")
    await expect(page.locator("#present")).to_have_text("Here: Cy")
