"""``app security-check``: what a stranger sees of a running deployment."""

import asyncio
import os
import sys
from typing import ClassVar, Literal

import click
import msgspec

from app.cli.security_check import accounts, inputs, responses, tokens
from app.cli.security_check.target import Account, Broken, Check, Send, Skipped, Target, Unreachable, over_network
from app.lib.cli.errors import CommandFailed
from app.lib.cli.options import json_option, read_password, write_list

CHECKS: tuple[Check, ...] = (*responses.CHECKS, *inputs.CHECKS, *tokens.CHECKS, *accounts.CHECKS)

_COLUMNS = {"ASVS": "asvs", "STATUS": "status", "CHECK": "check", "FOUND": "found"}
_PASSWORD = "SECURITY_CHECK_PASSWORD"  # noqa: S105 - the name of a variable


class TargetUnreachable(CommandFailed):
    """Nothing could be checked."""

    exit_code: ClassVar[int] = 2


class Result(msgspec.Struct, frozen=True):
    """``asvs`` are ids of OWASP ASVS 5.0."""

    asvs: list[str]
    check: str
    status: Literal["ok", "failed", "skipped"]
    found: str | None = None


@click.command("security-check")
@click.argument("url")
@click.option("--account", help=f"Also sign in with this address, with the password of {_PASSWORD} or standard input.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False), help="Certificates (PEM) to trust for https.")
@json_option
def security_check(url: str, account: str | None, ca: str | None, *, as_json: bool) -> None:
    """Attack a running deployment as a stranger would, and report what holds.

    Harms nothing: it sends what has to be refused, some failed sign-ins of accounts that do not exist, and with
    --account one sign-in and its sign-out. The address that it comes from cannot try passwords for some minutes after
    it. Exits with 0 when all holds, 1 when something does not, 2 when nothing answers.
    """
    try:
        send, is_https, close = over_network(url, certificates=ca)
    except ValueError as exc:
        raise click.UsageError(f"{exc}.") from exc
    password = (os.environ.get(_PASSWORD) or read_password(from_stdin=not sys.stdin.isatty())) if account else ""

    async def main() -> list[Result]:
        try:
            return await run_checks(send, is_https=is_https, credentials=(account, password) if account else None)
        finally:
            await close()

    try:
        results = asyncio.run(main())
    except Unreachable as exc:
        raise TargetUnreachable(f"{url} does not answer as a service: {exc}.") from exc
    write_list(results, _COLUMNS, as_json=as_json)
    if failed := sum(result.status == "failed" for result in results):
        raise CommandFailed(f"{failed} of {len(results)} checks failed.")


async def run_checks(send: Send, *, is_https: bool = False, credentials: tuple[str, str] | None = None) -> list[Result]:
    """The results of all checks, in order. Raises ``Unreachable``, also where the credentials are refused."""
    target = Target(send, is_https=is_https)
    if (answer := await target.ask("GET", "/health")).json() != {"status": "ok"}:
        raise Unreachable(f"GET /health was answered with {answer.status}")
    if credentials is not None:
        target.account = await _sign_in(target, *credentials)
    return [await _run(check, target) for check in CHECKS]


async def _sign_in(target: Target, email: str, password: str) -> Account:
    answer = await target.sign_in(email, password)
    pair = answer.json()
    if not {"access_token", "refresh_token"} <= pair.keys():
        raise Unreachable(f"the sign-in of {email} was refused ({pair.get('code')})")
    return Account(email, pair["access_token"], pair["refresh_token"], answer)


async def _run(check: Check, target: Target) -> Result:
    """A connection that breaks in the middle is a finding: what was sent has to be refused with an answer."""
    try:
        await check.run(target)
    except Skipped as exc:
        return Result([*check.asvs], check.title, "skipped", str(exc))
    except (Broken, Unreachable) as exc:
        return Result([*check.asvs], check.title, "failed", str(exc))
    return Result([*check.asvs], check.title, "ok")
