"""``OIDC_PROVIDERS``: what is refused, in one line that shows nothing secret."""

import json
from typing import Any

import pytest

from app.asgi import load_settings
from app.domain.identities.settings import IdentitySettings
from app.lib.settings import ConfigurationError

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "kH8s0dKq2mZx7Vb1nLw4Rt6Yc9Pf3Gj5",
    "PUBLIC_URL": "https://example.com",
    "DATABASE_URL": "postgresql+asyncpg://app@db/app",
}
CLIENT = {"client_id": "me", "client_secret": "top-secret"}
ACME = {"name": "acme", "issuer": "https://id.example.com", **CLIENT}


def load(providers: Any, **environ: str) -> IdentitySettings:
    text = providers if isinstance(providers, str) else json.dumps(providers)
    return load_settings({"OIDC_PROVIDERS": text, **environ}, None)[0].section(IdentitySettings)


def test_several_providers_are_read() -> None:
    microsoft = "https://login.microsoftonline.com/4e6a/v2.0"
    listed = [ACME, {"name": "github", "kind": "github", **CLIENT}, {**ACME, "name": "entra", "issuer": microsoft}]

    found = load(listed, **PRODUCTION)

    assert [(each.shown_as, each.address) for each in found.providers] == [
        ("Acme", "https://id.example.com"),
        ("GitHub", "https://github.com"),
        ("Entra", microsoft),
    ]
    assert "top-secret" not in repr(found) + repr(found.providers)
    assert load_settings({}, None)[0].section(IdentitySettings).providers == ()


@pytest.mark.parametrize(
    ("providers", "text"),
    [
        ("acme", "expected a JSON list of objects"),
        (ACME, "expected array, got object"),
        ([{**ACME, "client_sceret": "x"}], "object contains unknown field client_sceret - at $[0]"),
        ([{"name": "acme", **CLIENT}], "acme: issuer is required"),
        ([{**ACME, "name": "Acme"}], "expected str matching regex '^[a-z]"),
        ([ACME, ACME], "expected up to 20 providers, each with its own name"),
        ([{**ACME, "issuer": "http://id.example.com"}], "acme: issuer must be an https URL"),
        ([{**ACME, "issuer": "id.example.com"}], "acme: issuer must be an https URL"),
        ([{**ACME, "issuer": "https://login.microsoftonline.com/common/v2.0"}], "acme: name your own tenant"),
        ([{**ACME, "kind": "github", "client_secret": ""}], "acme: client_secret is required"),
    ],
)
def test_what_cannot_be_used_is_refused(providers: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(providers)

    assert str(caught.value).startswith(f"OIDC_PROVIDERS: {text}")
    assert "top-secret" not in str(caught.value)


def test_http_is_for_this_machine_in_development() -> None:
    here = [{**ACME, "issuer": "http://localhost:8080/realms/acme"}]
    assert load(here).providers[0].address == "http://localhost:8080/realms/acme"
    with pytest.raises(ConfigurationError, match="issuer must be an https URL"):
        load(here, **PRODUCTION)
