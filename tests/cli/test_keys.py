"""``app keys``: what it makes can be used, and nothing else is on standard output."""

import asyncio

import pytest

from app.lib.db.url import DatabaseURL
from app.lib.security.secret_key import weaknesses
from app.lib.security.tokens import ed25519_key
from app.lib.settings import Secret
from tests.cli.conftest import Cli
from tests.domain.auth.factors import enrolled, mfa_token, second_step
from tests.support.apps import client_of, running_app
from tests.support.people import People


def test_a_secret_is_good_for_production(cli: Cli) -> None:
    first, second = cli("keys", "generate"), cli("keys", "generate", "secret")

    assert first.exit_code == second.exit_code == 0
    assert first.stdout != second.stdout
    assert not [*weaknesses("SECRET_KEY", [Secret(first.stdout.strip())])]
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


@pytest.mark.asvs("11.1.1", "11.2.2")
async def test_what_a_leaked_key_has_sealed_is_sealed_again_at_once(own_url: DatabaseURL, at: Cli) -> None:
    """So the key can go within minutes, and no app that makes codes is lost by it."""
    former, current = "a key that someone else may know - forty letters", "the key of the service as it is today"
    async with running_app(own_url, SECRET_KEY=former) as app:
        someone = await enrolled(app, People(app))

    lost = await asyncio.to_thread(at, "keys", "reseal", SECRET_KEY=current)
    done = await asyncio.to_thread(at, "keys", "reseal", SECRET_KEY=current, SECRET_KEY_FALLBACKS=former)
    again = await asyncio.to_thread(at, "keys", "reseal", SECRET_KEY=current)

    assert (lost.exit_code, "SECRET_KEY_FALLBACKS" in lost.stderr) == (1, True)
    assert [each.exit_code for each in (done, again)] == [0, 0]
    assert (done.stdout.split()[0], again.stdout.split()[0]) == ("1", "0")
    async with running_app(own_url, SECRET_KEY=current) as app, client_of(app) as client:
        token = await mfa_token(client, someone.person)
        assert (await second_step(client, token, someone.code())).status_code == 200
