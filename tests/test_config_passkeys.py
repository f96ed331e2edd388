"""PASSKEY_DOMAIN and PASSKEY_ORIGINS: what passkeys are bound to, and where pages use them."""

import pytest

from app.domain.auth.settings import AuthSettings
from tests.support.environment import refusal, settings_from

HOME = "https://example.com"
APP, API = "https://app.example.com", "https://api.example.com"


@pytest.mark.parametrize(
    ("environ", "domain", "origins"),
    [
        ({}, "localhost", ["http://localhost:8000"]),
        ({"HOST": "::1", "PORT": "80"}, "localhost", ["http://localhost"]),
        ({"PUBLIC_URL": "http://localhost:8080/team"}, "localhost", ["http://localhost:8080"]),
        ({"PUBLIC_URL": f"{API}/lodestar"}, "api.example.com", [API]),
        ({"PUBLIC_URL": API, "PUBLIC_APP_URL": APP}, "app.example.com", [APP]),
        ({"PUBLIC_URL": API, "PASSKEY_ORIGINS": f"{HOME},{APP}"}, "example.com", [HOME, APP]),
        ({"PUBLIC_URL": API, "PASSKEY_ORIGINS": APP, "PASSKEY_DOMAIN": "example.com"}, "example.com", [APP]),
    ],
)
def test_passkeys_belong_to_the_pages_that_use_them(environ: dict[str, str], domain: str, origins: list[str]) -> None:
    settings = settings_from(ENVIRONMENT="test", **environ)

    assert settings.section(AuthSettings).relying_party(settings) == (domain, tuple(origins))


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PASSKEY_DOMAIN": "example.org"}, "PASSKEY_DOMAIN"),
        ({"PASSKEY_DOMAIN": "ample.com"}, "PASSKEY_DOMAIN"),
        ({"PASSKEY_DOMAIN": "www.app.example.com"}, "PASSKEY_DOMAIN"),
        ({"PASSKEY_ORIGINS": f"{APP},{HOME}"}, "PASSKEY_DOMAIN"),
        ({"PASSKEY_ORIGINS": f"{APP}/login"}, "PASSKEY_ORIGINS"),
    ],
)
def test_a_domain_that_is_none_of_its_pages_is_refused(environ: dict[str, str], named: str) -> None:
    assert refusal(ENVIRONMENT="test", PUBLIC_URL=API, PUBLIC_APP_URL=APP, **environ).startswith(f"{named}: ")
