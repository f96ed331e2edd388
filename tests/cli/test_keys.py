"""``app keys``: what it makes can be used, and nothing else is on standard output."""

import pytest

from app.lib.security.secret_key import check_secret
from app.lib.security.tokens import ed25519_key
from app.lib.settings import Secret
from tests.cli.conftest import Cli


def test_a_secret_is_good_for_production(cli: Cli) -> None:
    first, second = cli("keys", "generate"), cli("keys", "generate", "secret")

    assert first.exit_code == second.exit_code == 0
    assert first.stdout != second.stdout
    check_secret("SECRET_KEY", Secret(first.stdout.strip()))
    assert "SECRET_KEY_FALLBACKS" in first.stderr
    assert first.stdout.strip() not in first.stderr


def test_an_ed25519_key_signs(cli: Cli) -> None:
    made = cli("keys", "generate", "ed25519")

    assert ed25519_key(made.stdout).signer is not None
    assert cli("config", "show", JWT_PRIVATE_KEY=made.stdout).exit_code == 0
    assert "JWT_PRIVATE_KEY_FALLBACKS" in made.stderr


@pytest.mark.parametrize("kind", ["rsa", ""])
def test_no_other_kind_is_made(cli: Cli, kind: str) -> None:
    assert cli("keys", "generate", kind).exit_code == 2
