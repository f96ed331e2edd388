"""What ``app users`` has about sign-in."""

import click

from app.core import Core
from app.domain.accounts.commands import email_option, find_user, users
from app.domain.auth.services.second_factors import SecondFactorService
from app.lib.audit import SYSTEM
from app.lib.cli.running import run


@users.command("disable-mfa")
@email_option
def disable_mfa(email: str) -> None:
    """Turn off the second factor of a user who has lost it, and end their sessions."""

    async def work(core: Core) -> None:
        user_id = await find_user(core, email, "'app users list' shows all.")
        async with core.database.independent() as unit:
            await core.services.build(SecondFactorService, unit, SYSTEM).turn_off(user_id, None)

    run(work)
    click.echo(f"The second factor of {email} is off, and their sessions are ended.")
