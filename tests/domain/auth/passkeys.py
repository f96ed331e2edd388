"""What tests of passkeys do again and again."""

from typing import Any

import httpx

from tests.domain.auth.steps import ME
from tests.support.authenticators import Authenticator

PASSKEYS, NEW_OPTIONS = f"{ME}/passkeys", f"{ME}/passkeys/options"
OPTIONS, LOGIN = "/api/v1/auth/passkeys/options", "/api/v1/auth/passkeys/login"


async def enrol(
    client: httpx.AsyncClient, authenticator: Authenticator, name: str = "Passkey", **forged: Any
) -> httpx.Response:
    """``client`` is signed in."""
    options = (await client.post(NEW_OPTIONS)).json()
    return await client.post(PASSKEYS, json={"credential": authenticator.create(options, **forged), "name": name})


async def sign_in(client: httpx.AsyncClient, authenticator: Authenticator, **forged: Any) -> httpx.Response:
    options = (await client.post(OPTIONS)).json()
    return await client.post(LOGIN, json={"credential": authenticator.get(options, **forged)})
