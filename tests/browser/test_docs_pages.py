"""A person opens the documentation, signs in there and calls a protected operation; nothing leaves the machine.

A real server and a real browser: run by `just test-browser`, which provides Chromium.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, Response, async_playwright, expect

PROTECTED = "/api/v1/users/me"
SIGN_IN = "/api/v1/auth/login"
ROOT = Path(__file__).parents[2]
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Service:
    """The running service and somebody who has an account there."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.email = "ada@example.com"
        self.password = secrets.token_urlsafe(18)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/health/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def register(self) -> None:
        account = {"email": self.email, "password": self.password, "name": "Ada Lovelace"}
        httpx.post(f"{self.base_url}/api/v1/auth/register", json=account).raise_for_status()


class Traffic:
    """What a page asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)

    def leaving(self, base_url: str) -> list[str]:
        return [url for url in self.urls if not url.startswith((f"{base_url}/", "data:", "blob:"))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    port = free_port()
    settings = {"DATABASE_URL": f"sqlite+aiosqlite:///{folder}/lodestar.db", "PORT": str(port), "LOG_FORMAT": "json"}
    running = Service(f"http://127.0.0.1:{port}")
    with (folder / "log").open("wb") as log:
        command = [str(Path(sys.executable).with_name("app")), "serve"]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stdout=log, stderr=log)  # noqa: S603 - our own program
        try:
            give_up = time.monotonic() + 30
            while not running.is_ready():
                if process.poll() is not None or time.monotonic() > give_up:
                    pytest.fail((folder / "log").read_text())
                time.sleep(0.1)
            running.register()
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=os.environ["CHROMIUM_PATH"], args=CHROMIUM_OPTIONS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield await context.new_page()
    await context.close()


@pytest.fixture
def traffic(page: Page) -> Traffic:
    return Traffic(page)


def is_call_of(path: str, response: Response) -> bool:
    return response.url.endswith(path) and response.request.method != "OPTIONS"


async def keep_picture(page: Page) -> None:
    """`DOCS_PICTURE=file.png just test-browser` renews the picture that README.md shows."""
    if target := os.environ.get("DOCS_PICTURE"):
        await page.screenshot(path=Path(target))


async def test_scalar_signs_in_and_calls(service: Service, page: Page, traffic: Traffic) -> None:
    await page.goto(f"{service.base_url}/docs")
    await page.locator("td", has_text="Username").locator("[contenteditable]").fill(service.email)
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


async def test_a_wrong_password_is_told(service: Service, page: Page) -> None:
    await page.goto(f"{service.base_url}/docs/swagger")
    await page.locator("button.authorize").click()
    dialog = page.locator(".modal-ux")
    await dialog.locator("#oauth_username").fill(service.email)
    await dialog.locator("#oauth_password").fill("not the password")
    await dialog.get_by_label("Apply given OAuth2 credentials").click()

    await expect(dialog.locator(".errors")).to_be_visible()
