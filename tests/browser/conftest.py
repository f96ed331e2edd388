"""A real server and a real browser for the tests of pages: run by `just test-browser`, which provides Chromium."""

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
from playwright.async_api import Browser, Page, async_playwright, expect

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
expect.set_options(timeout=PATIENCE * 500)
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
    """A service of its own, on a development server, and a person who has an account there."""

    def __init__(self, folder: Path, path: str = "") -> None:
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}{path}"
        self.email = "ada@example.com"
        self.password = secrets.token_urlsafe(18)
        self._settings = {
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/lodestar.db",
            "PORT": str(port),
            "PUBLIC_URL": self.base_url,
            "LOG_FORMAT": "json",
        }
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it is ready."""
        command = [str(Path(sys.executable).with_name("app")), "serve"]
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **self._settings}, stdout=log, stderr=log)  # noqa: S603 - our own program
        self._process = process
        give_up = time.monotonic() + PATIENCE
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > give_up:
                pytest.fail(self._log.read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        """As an operator would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(40)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/health/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def register(self, email: str | None = None, name: str = "Ada Lovelace") -> None:
        account = {"email": email or self.email, "password": self.password, "name": name}
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


@pytest.fixture(scope="session", params=["", "/team/lodestar"], ids=["at the root", "below a path"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"), request.param)
    try:
        running.start()
        running.register()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=os.environ["CHROMIUM_PATH"], args=CHROMIUM_OPTIONS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE * 500)
    yield await context.new_page()
    await context.close()


@pytest.fixture
def traffic(page: Page) -> Traffic:
    return Traffic(page)
