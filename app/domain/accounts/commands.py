"""``app users``: users from the command line, by the same rules as over HTTP."""

from collections.abc import Awaitable
from functools import partial
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

import click

from app.core import Core
from app.domain.accounts.dtos import UserCreate, UserRead
from app.domain.accounts.services.identity import checked_email_key
from app.domain.accounts.services.passwords import PasswordService
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.lib.audit import SYSTEM
from app.lib.cli.errors import MissingOrTaken
from app.lib.cli.options import json_option, with_password, write_list
from app.lib.cli.running import run
from app.lib.pagination.parameters import PageRequest
from app.lib.wire.decoding import convert

_password_option = click.option("--password-stdin", is_flag=True, help="Read it from one line of standard input.")
email_option = click.option("--email", required=True, help="The user's email address.")
_COLUMNS = {
    "EMAIL": "email",
    "USERNAME": "username",
    "NAME": "name",
    "ROLES": "roles",
    "ACTIVE": "is_active",
    "VERIFIED": "is_verified",
    "SUPERUSER": "is_superuser",
}


@click.group()
def users() -> None:
    """Create and list users, set passwords. A password is asked for, or read from standard input."""


@users.command()
@email_option
@click.option("--name", help="The person's name.")
@click.option("--username", help="A name to sign in with, next to the address.")
@click.option("--verified", is_flag=True, help="The address is known to be theirs.")
@_password_option
def create(email: str, name: str | None, username: str | None, *, verified: bool, password_stdin: bool) -> None:
    """Create a user."""
    _create(from_stdin=password_stdin, email=email, name=name, username=username, is_verified=verified)


@users.command("create-superuser")
@email_option
@_password_option
@click.option("--promote", is_flag=True, help="Make the user with this address a superuser, and keep the password.")
def create_superuser(email: str, *, password_stdin: bool, promote: bool) -> None:
    """Create a user with every permission."""
    if promote:
        _promote(email)
        return
    try:
        _create(from_stdin=password_stdin, email=email, is_verified=True, is_superuser=True)
    except MissingOrTaken as taken:
        raise MissingOrTaken(taken.message, "With --promote that user becomes a superuser.") from taken


@users.command("set-password")
@email_option
@_password_option
def set_password(email: str, *, password_stdin: bool) -> None:
    """Set a user's password and end their sessions."""

    def find(core: Core) -> Awaitable[UUID]:
        return find_user(core, email, "'app users list' shows all.")

    def save(password: str) -> None:
        async def work(core: Core) -> None:
            async with core.database.independent() as unit:
                await core.services.build(PasswordService, unit, SYSTEM).set_password(await find(core), password)

        run(work)

    with_password(lambda: run(find), save, from_stdin=password_stdin)
    click.echo(f"The password of {email} is set, and their sessions are ended.")


@users.command("list")
@json_option
def list_users(*, as_json: bool) -> None:
    """List all users, oldest first."""
    write_list(run(_all_users), _COLUMNS, as_json=as_json)


def _create(*, from_stdin: bool, **values: Any) -> None:
    async def work(core: Core, password: str, *, is_trial: bool = False) -> UserRead:
        data = convert({**values, "password": password}, UserCreate, strict=True)
        async with core.database.independent() as unit:
            user = await core.services.build(UserService, unit, SYSTEM).create(data, None)
            if is_trial:
                await unit.rollback()
            return user

    trial = partial(work, password=token_urlsafe(), is_trial=True)
    user = with_password(
        lambda: run(trial), lambda password: run(partial(work, password=password)), from_stdin=from_stdin
    )
    click.echo(f"{'Superuser' if user.is_superuser else 'User'} {user.email} is created ({user.id}).")


def _promote(email: str) -> None:
    async def work(core: Core) -> UserRead:
        user_id = await find_user(core, email, "Without --promote it is created.")
        async with core.database.independent() as unit:
            return await core.services.build(UserService, unit, SYSTEM).promote(user_id)

    click.echo(f"{run(work).email} is a superuser now.")


async def find_user(core: Core, email: str, hint: str) -> UUID:
    """The id of the user with this address. Raises ``MissingOrTaken`` with the hint."""
    found = await core.services.build(AccountQueries).find_credentials(checked_email_key(email))
    if found is None:
        raise MissingOrTaken(f"There is no user {email}.", hint)
    return found.id


async def _all_users(core: Core) -> list[UserRead]:
    accounts = core.services.build(AccountQueries)
    found: list[UserRead] = []
    cursor = None
    while True:
        page = await accounts.list_users(PageRequest(page=None, page_size=100, cursor=cursor), "created_at", {})
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found
