"""``app check``: whether the service can run here, and with what."""

import asyncio

import click
from msgspec.structs import replace

from app.asgi import DOMAINS, load_settings
from app.cli.checks import Finding, look
from app.cli.configuration import setting_kinds
from app.cli.process import with_throwaway_secret
from app.core import Core
from app.environment import misspelt_names
from app.lib.cli.called import as_called
from app.lib.cli.errors import CommandFailed, DatabaseUnusable, Misconfigured
from app.lib.cli.options import json_option, write_list
from app.lib.settings import ConfigurationError

_COLUMNS = {"CHECK": "name", "STATUS": "status", "FOUND": "found", "HINT": "hint"}


@click.command()
@click.option("--strict", is_flag=True, help="Fail for advice, too.")
@json_option
def check(*, as_json: bool, strict: bool) -> None:
    """Check that the service can run here: settings, secrets, address, proxies, disk, database, clock, Redis, mail,
    and the services that errors and traces are sent to.

    Fails when it could not run. Advice is for what it survives.
    """
    advice: list[str] = []
    try:
        advice = misspelt_names(setting_kinds())
        core = Core(with_throwaway_secret(load_settings()[0]), DOMAINS)
    except ConfigurationError as exc:
        _write([_setting(each, advice) for each in exc.faults], as_json=as_json)
        raise Misconfigured("The service cannot run: settings.", "'app config example' lists all.") from exc
    findings = [Finding("settings", "ok", f"ENVIRONMENT={core.settings.environment}")]
    findings += [_setting(each, advice) for each in advice] + asyncio.run(_findings(core))
    _write(findings, as_json=as_json)
    failed = {each.name for each in findings if each.status == "failed" or (strict and each.status == "advice")}
    if failed:
        kind = DatabaseUnusable if "database" in failed else CommandFailed
        raise kind(f"The service cannot run: {', '.join(sorted(failed))}.")


def _write(findings: list[Finding], *, as_json: bool) -> None:
    shown = [replace(each, found=as_called(each.found), hint=each.hint and as_called(each.hint)) for each in findings]
    write_list(shown, _COLUMNS, as_json=as_json)


def _setting(fault: str, advice: list[str]) -> Finding:
    name, _, hint = fault.partition(": ")
    return Finding("settings", "advice" if fault in advice else "failed", name, f"{hint[:1].upper()}{hint[1:]}.")


async def _findings(core: Core) -> list[Finding]:
    await core.database.start()
    try:
        return [each async for each in look(core)]
    finally:
        await core.database.close()
