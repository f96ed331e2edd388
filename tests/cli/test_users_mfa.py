import asyncio

from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.domain.auth.factors import enrolled
from tests.domain.auth.steps import audited, sign_in
from tests.support.apps import client_of, running_app
from tests.support.people import People


def test_a_lost_second_factor_is_turned_off(at: Cli, own_url: DatabaseURL) -> None:
    """Also of the last superuser, whom no administrator can help."""

    async def enroll() -> None:
        async with running_app(own_url) as app:
            await enrolled(app, People(app), email="root@example.com", is_superuser=True)

    async def attempt() -> tuple[int, int]:
        async with running_app(own_url) as app, client_of(app) as client:
            return (await sign_in(client, "root@example.com")).status_code, len(await audited(app, "mfa.turned_off"))

    asyncio.run(enroll())
    assert asyncio.run(attempt()) == (403, 0)

    done = at("users", "disable-mfa", "--email", "Root@example.com")

    assert (done.exit_code, done.stdout.split(" is off")[0]) == (0, "The second factor of Root@example.com")
    assert asyncio.run(attempt()) == (200, 1)
    assert "no second factor" in refusal(at("users", "disable-mfa", "--email", "root@example.com"), 5)
    assert "no user" in refusal(at("users", "disable-mfa", "--email", "no-one@example.com"), 5)
