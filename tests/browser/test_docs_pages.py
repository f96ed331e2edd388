"""A person opens the documentation, signs in there and calls a protected operation; nothing leaves the machine."""

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Response, expect

from tests.browser.conftest import Service, Traffic

PROTECTED = "/api/v1/users/me"
SIGN_IN = "/api/v1/auth/login"


def is_call_of(path: str, response: Response) -> bool:
    return response.url.endswith(path) and response.request.method != "OPTIONS"


async def keep_picture(page: Page) -> None:
    """`DOCS_PICTURE=file.png just test-browser` renews the picture that README.md shows."""
    if target := os.environ.get("DOCS_PICTURE"):
        await page.screenshot(path=Path(target))


async def test_scalar_signs_in_and_calls(service: Service, page: Page, traffic: Traffic) -> None:
    await page.goto(f"{service.base_url}/docs")
    await page.locator("td", has_text="Username").locator("[contenteditable]").fill(service.email)
    await expect(page.locator("td", has_text="Client ID")).to_be_hidden()
    shown = [await each.inner_text() for each in await page.locator("table:has-text('Username') td:visible").all()]
    assert [label.partition(":")[0].strip() for label in shown[1:]] == ["Username", "Password"]
    await keep_picture(page)
    await page.get_by_role("textbox", name="Password").fill(service.password)
    async with page.expect_response(lambda response: is_call_of(SIGN_IN, response)) as signed_in:
        await page.get_by_role("button", name="Authorize").click()
    assert (await signed_in.value).status == 200

    await page.goto(f"{service.base_url}/docs#tag/users/GET{PROTECTED}")
    await page.get_by_role("button", name=f"(get {PROTECTED})").click()
    async with page.expect_response(lambda response: is_call_of(PROTECTED, response)) as called:
        await page.get_by_role("button", name="Send").first.click()

    assert (await (await called.value).json())["email"] == service.email
    assert traffic.leaving(service.base_url) == []
    assert traffic.complaints == []


async def test_swagger_signs_in_and_calls(service: Service, page: Page, traffic: Traffic) -> None:
    await page.goto(f"{service.base_url}/docs/swagger")
    await page.locator("button.authorize").click()
    dialog = page.locator(".modal-ux")
    await expect(dialog.locator("#oauth_username")).to_be_focused()
    await expect(dialog.locator("#oauth_username")).to_be_in_viewport()
    await dialog.locator("#oauth_username").fill(service.email)
    await dialog.locator("#oauth_password").fill(service.password)
    async with page.expect_response(lambda response: is_call_of(SIGN_IN, response)) as signed_in:
        await dialog.get_by_label("Apply given OAuth2 credentials").click()
    assert (await signed_in.value).status == 200
    await dialog.locator("button.btn-done").first.click()

    operation = page.locator(".opblock-get").filter(has=page.locator(f'[data-path="{PROTECTED}"]'))
    await operation.locator(".opblock-summary").click()
    await operation.locator("button.execute").click()

    await expect(operation.locator(".live-responses-table")).to_contain_text(service.email)
    assert traffic.leaving(service.base_url) == []
    assert traffic.complaints == []


async def test_a_wrong_password_is_shown(service: Service, page: Page) -> None:
    await page.goto(f"{service.base_url}/docs/swagger")
    await page.locator("button.authorize").click()
    dialog = page.locator(".modal-ux")
    await expect(dialog.locator("#oauth_username")).to_be_focused()
    await expect(dialog.locator("#oauth_username")).to_be_in_viewport()
    await dialog.locator("#oauth_username").fill(service.email)
    await dialog.locator("#oauth_password").fill("not the password")
    await dialog.get_by_label("Apply given OAuth2 credentials").click()

    await expect(dialog.locator(".errors")).to_be_visible()


@pytest.mark.parametrize(("path", "manual"), [("/docs", "main"), ("/docs/swagger", ".info")])
async def test_both_open_with_the_manual(service: Service, page: Page, path: str, manual: str) -> None:
    """Rendered, not as Markdown; on a phone it is no wider than the screen."""
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{service.base_url}{path}")
    text = page.locator(manual).first

    await expect(text.get_by_role("heading", name="Versions and deprecation")).to_be_visible()
    assert not re.search(r"```|\*\*|\]\(|^#", await text.inner_text(), re.MULTILINE)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_scalar_shows_our_code_samples(service: Service, page: Page) -> None:
    await page.goto(f"{service.base_url}/docs#tag/users/GET{PROTECTED}")
    await page.get_by_role("button", name="curl").first.click()

    for label in ("Python (httpx)", "JavaScript (fetch)"):
        await expect(page.get_by_role("option", name=label)).to_be_visible()
    await expect(page.locator("code", has_text=f"{service.base_url}{PROTECTED}").first).to_be_attached()
    assert "example.com/api" not in await page.content()
