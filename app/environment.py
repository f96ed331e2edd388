"""Reads the settings of the process and its domains, and makes the secret key where none is set."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from app.config import Section, Settings
from app.lib.security.secret_key import keep_secret
from app.lib.settings import ConfigurationError, Secret, described_fields, load, read_env_file, set_in, variable_name

_CLOSE = 0.85
"""How alike two names are when one is the other misspelt, of 1 (:mod:`difflib`)."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]+")
_OTEL = "OTEL_"
"""How the settings of OpenTelemetry's SDK begin, which it reads by itself."""

_SECRET_MEMBER = re.compile(r'"\w*(?:secret|password|token|key)"\s*:\s*"([^"\\]+)"')
"""Of a setting that is JSON."""


def read_settings(
    sections: Iterable[type[Section]],
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
) -> tuple[Settings, dict[str, str]]:
    """Settings and the origin of each. Raises :class:`ConfigurationError` with a line, sorted, for each that is wrong
    or breaks a rule with others, and for each name that looks misspelt.
    """
    environ = os.environ if environ is None else environ
    kinds: list[type[Settings | Section]] = [Settings, *sections]
    if environ is os.environ:  # the only place where its SDK looks for them
        for name, text in read_env_file(env_file).items():
            if name.startswith(_OTEL):
                os.environ.setdefault(name, text)
    values: dict[Any, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for kind in kinds:
        values[kind], more, faults = load(kind, environ, env_file)
        if taken := origins.keys() & more.keys():
            raise ValueError(f"settings are declared twice: {sorted(taken)}")
        origins |= more
        wrong |= faults
    lines = [*wrong.values()]
    try:
        settings = Settings(**values.pop(Settings), sections={kind: kind(**values[kind]) for kind in values})
        if not lines:
            return settings, origins
    except ConfigurationError as exc:
        lines += [each for each in exc.faults if wrong.keys().isdisjoint(_NAME.findall(each))]
    lines = [each + set_in(origins.get(each.partition(":")[0], "default")) for each in lines]
    raise ConfigurationError(*sorted({*lines, *misspelt_names(kinds, environ, env_file)}))


def misspelt_names(
    kinds: Iterable[type[msgspec.Struct]],
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
) -> list[str]:
    """Remarks about names that are nearly a setting's, and about those in the file that are no setting's."""
    names = {variable_name(field.name) for kind in kinds for field in described_fields(kind)}
    names |= {f"{name}_FILE" for name in names}
    in_file = read_env_file(env_file)
    said: list[str] = []
    for name in sorted({*(os.environ if environ is None else environ), *in_file} - names):
        if name.startswith(_OTEL):
            continue
        if close := get_close_matches(name, names, n=1, cutoff=_CLOSE):
            origin = f"{env_file}" if name in in_file else "environment"
            said.append(f"{name}: not a setting; {close[0]} is one{set_in(origin)}")
        elif name in in_file:
            said.append(f"{name}: not a setting, but in {env_file}")
    return said


def with_secret_key(settings: Settings) -> Settings:
    """Settings that have a secret key.

    Outside production a missing one is made once and kept, readable by its owner only, next to the SQLite
    database (in ``data/`` for PostgreSQL), so that sign-ins survive a restart. Workers that start together
    agree on one key, because the file appears whole or not at all.
    """
    if settings.secret_key is not None:
        return settings
    path = settings.database.directory / "secret_key"
    try:
        secret = keep_secret(path)
    except OSError as exc:
        raise ConfigurationError(f"SECRET_KEY: not set, and {path} cannot be written: {exc.strerror}") from exc
    return msgspec.structs.replace(settings, secret_key=Secret(secret))


def secrets_in(value: object) -> Iterator[str]:
    """The secrets of settings: whole, and in the parts that are used alone."""
    match value:
        case Secret():
            text = value.reveal()
            yield from (text, *text.splitlines(), *_SECRET_MEMBER.findall(text), *_credentials_in(text))
        case str():
            yield from _credentials_in(value)
        case msgspec.Struct():
            yield from secrets_in(tuple(msgspec.structs.asdict(value).values()))
        case Mapping():
            yield from secrets_in(tuple(value.values()))
        case tuple():
            for each in value:
                yield from secrets_in(each)
        case _:
            return


def _credentials_in(url: str) -> Iterator[str]:
    """A password that is the user's name is a word like others, and a secret next to the name only. A user without a
    password is the key of a service.
    """
    authority = url.partition("://")[2].partition("/")[0]
    user, _, password = authority.rpartition("@")[0].partition(":")
    if password:
        yield f"{user}:{password}"
    if password != user:
        yield from (password or user, unquote(password or user))
