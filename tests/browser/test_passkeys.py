"""The script of docs/auth.md, in a page of the service's own origin, with an authenticator that Chromium simulates."""

import re
from typing import Any

from playwright.async_api import Page, Route

from tests.browser.conftest import ROOT, Service, Traffic

SCRIPT = re.compile(r"```js\n(.*?)```", re.DOTALL)
PHONE = {"transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
SECURITY_KEY = {"transport": "usb", "hasResidentKey": False, "hasUserVerification": False}


async def open_page(page: Page, service: Service, authenticator: dict[str, Any]) -> None:
    """A front end with the script, and an authenticator whose user is always there."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "automaticPresenceSimulation": True, **authenticator}
    await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    (script,) = SCRIPT.findall((ROOT / "docs/auth.md").read_text())
    # Browsers have passkeys for names, not for addresses.
    base_url = service.base_url.replace("127.0.0.1", "localhost")
    html = f"<!doctype html><title>Front end</title><script>const API = '{base_url}/api/v1';\n{script}</script>"

    async def answer(route: Route) -> None:
        await route.fulfill(body=html, content_type="text/html")

    await page.route("**/front-end", answer)
    await page.goto(f"{base_url}/front-end")


async def password_step(page: Page, email: str, password: str) -> dict[str, Any]:
    """What a sign-in with the password answers."""
    account = {"username": email, "password": password}
    step: dict[str, Any] = await page.evaluate("a => post('/auth/login', a).catch(e => e.problem)", account)
    return step


async def whoami(page: Page, pair: dict[str, Any]) -> str:
    get = "token => fetch(`${API}/users/me`, { headers: { Authorization: `Bearer ${token}` } }).then(r => r.json())"
    return str((await page.evaluate(get, pair["access_token"]))["email"])


async def test_a_passkey_is_enrolled_and_signs_in(service: Service, page: Page, traffic: Traffic) -> None:
    email = "grace@example.com"
    service.register(email)
    await open_page(page, service, PHONE)

    pair = await password_step(page, email, service.password)
    passkey = await page.evaluate("token => addPasskey(token, 'My phone')", pair["access_token"])
    assert (passkey["name"], passkey["verifies_user"], passkey["transports"]) == ("My phone", True, ["internal"])
    assert len(passkey["recovery_codes"]) == 10

    await page.evaluate(
        "token => fetch(`${API}/auth/logout`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } })",
        pair["access_token"],
    )
    assert await whoami(page, await page.evaluate("signIn()")) == email

    step = await password_step(page, email, service.password)
    assert step["code"] == "mfa_required"
    pair = await page.evaluate("token => secondStep(token)", step["mfa_token"])
    assert await whoami(page, pair) == email
    session = await page.evaluate("token => confirmWithPasskey(token)", pair["access_token"])
    assert session["current"]
    assert traffic.leaving(service.base_url.replace("127.0.0.1", "localhost")) == []


async def test_a_key_without_a_pin_is_a_second_factor(service: Service, page: Page) -> None:
    email = "barbara@example.com"
    service.register(email)
    await open_page(page, service, SECURITY_KEY)

    pair = await password_step(page, email, service.password)
    passkey = await page.evaluate("token => addPasskey(token, 'My key')", pair["access_token"])
    step = await password_step(page, email, service.password)
    pair = await page.evaluate("token => secondStep(token)", step["mfa_token"])

    assert (passkey["verifies_user"], passkey["transports"]) == (False, ["usb"])
    assert await whoami(page, pair) == email
