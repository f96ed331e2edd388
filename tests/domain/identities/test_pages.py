"""Where the browser comes back to."""

import httpx
import pytest

from tests.domain.identities.provider import IdentityProvider
from tests.domain.identities.steps import PROVIDERS
from tests.support.apps import Deployment, client_of

PAGE = "/account/sign-in/acme"


@pytest.mark.parametrize(
    ("language", "query", "expected"),
    [
        ("en", "code=secret-code&state=secret-state&iss=https://x", "Almost done"),
        ("de", "code=secret-code&session_state=secret-state", "Fast fertig"),
        ("en", "error=access_denied&error_description=secret-code", "did not sign you in"),
    ],
)
async def test_the_page_says_how_to_go_on_and_shows_no_secret(
    client: httpx.AsyncClient, language: str, query: str, expected: str
) -> None:
    response = await client.get(f"{PAGE}?{query}", headers={"Accept-Language": language})

    assert response.status_code == 200
    assert expected in response.text
    assert "Acme &amp; Sons" in response.text
    assert "secret" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert (response.headers["cache-control"], response.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (await client.get("/account/sign-in/nowhere")).status_code == 404


async def test_a_front_end_has_pages_of_its_own(deployment: Deployment, server: IdentityProvider) -> None:
    app = await deployment.start(OIDC_PROVIDERS=server.configs(), PUBLIC_APP_URL="https://app.example.com")
    async with client_of(app) as client:
        begun = (await client.post(f"{PROVIDERS}/hub/authorize")).json()

    assert begun["redirect_uri"] == "https://app.example.com/account/sign-in/hub"
