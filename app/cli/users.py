"""``app users``: accounts from the command line, by the same rules as over HTTP."""

from typing import Any
from uuid import UUID

import click

from app.cli.errors import MissingOrTaken
from app.cli.options import json_option, read_password, write_list
from app.cli.runtime import Office, office, run
from app.components import Components
from app.domain.accounts.dtos import UserCreate, UserRead
from app.domain.accounts.repositories import AccountReads
from app.domain.accounts.services.identity import parse_email
from app.lib.pagination.parameters import PageRequest
from app.lib.wire.decoding import convert

_password_option = click.option("--password-stdin", is_flag=True, help="Read it from one line of standard input.")
_email_option = click.option("--email", required=True, help="The account's e-mail address.")


@click.group()
def users() -> None:
    """Create and list accounts, set passwords. A password is asked for, or read from standard input."""


@users.command()
@_email_option
@click.option("--name", help="The person's name.")
@click.option("--username", help="A name to sign in with, beside the address.")
@click.option("--verified", is_flag=True, help="The address is known to be theirs.")
@_password_option
def create(email: str, name: str | None, username: str | None, *, verified: bool, password_stdin: bool) -> None:
    """Create an account."""
    password = read_password(from_stdin=password_stdin)
    _create(email=email, name=name, username=username, password=password, is_verified=verified)


@users.command("create-superuser")
@_email_option
@_password_option
@click.option("--promote", is_flag=True, help="Make the account that has the address one, and keep its password.")
def create_superuser(email: str, *, password_stdin: bool, promote: bool) -> None:
    """Create an account that may do everything."""
    if promote:
        _promote(email)
        return
    password = read_password(from_stdin=password_stdin)
    try:
        _create(email=email, password=password, is_verified=True, is_superuser=True)
    except MissingOrTaken as taken:
        raise MissingOrTaken(taken.message, "With --promote that account becomes a superuser.") from taken


@users.command("set-password")
@_email_option
@_password_option
def set_password(email: str, *, password_stdin: bool) -> None:
    """Set an account's password and end its sessions."""
    password = read_password(from_stdin=password_stdin)

    async def work(components: Components) -> None:
        async with office(components) as at:
            user_id = await _find(at, email, "'app users list' shows all.")
            await at.credentials.set_password(user_id, password)

    run(work)
    click.echo(f"The password of {email} is set, and their sessions are ended.")


@users.command("list")
@json_option
def list_users(*, as_json: bool) -> None:
    """List all accounts, oldest first."""
    found = run(_all_users)
    header = ("EMAIL", "USERNAME", "NAME", "ROLES", "ACTIVE", "VERIFIED", "SUPERUSER")
    write_list(found, header, _row, as_json=as_json)


def _create(**values: Any) -> None:
    async def work(components: Components) -> UserRead:
        data = convert(values, UserCreate, strict=True)
        async with office(components) as at:
            return await at.users.create(data, None)

    user = run(work)
    click.echo(f"{'Superuser' if user.is_superuser else 'User'} {user.email} is created ({user.id}).")


def _promote(email: str) -> None:
    async def work(components: Components) -> UserRead:
        async with office(components) as at:
            return await at.users.promote(await _find(at, email, "Without --promote it is created."))

    click.echo(f"{run(work).email} is a superuser now.")


async def _find(at: Office, email: str, hint: str) -> UUID:
    """Whose address it is. Raises ``MissingOrTaken`` with the hint."""
    found = await at.reads.find_credentials(parse_email(email).key)
    if found is None:
        raise MissingOrTaken(f"There is no account {email}.", hint)
    return found.id


async def _all_users(components: Components) -> list[UserRead]:
    reads = AccountReads(components.database.reader, components.cursors)
    page = await reads.list_users(PageRequest(page_size=100, include_total=False), "created_at", {})
    found = list(page.items)
    while page.next_cursor:
        request = PageRequest(page=None, page_size=100, cursor=page.next_cursor)
        page = await reads.list_users(request, "created_at", {})
        found += page.items
    return found


def _row(user: UserRead) -> tuple[str, ...]:
    flags = (user.is_active, user.is_verified, user.is_superuser)
    return (
        user.email,
        user.username or "",
        user.name or "",
        ",".join(user.roles),
        *("yes" if flag else "no" for flag in flags),
    )
