"""Reads the settings of the process and its domains, and makes the secret key where none is set."""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from app.config import Section, Settings
from app.lib.security.secret_key import keep_secret
from app.lib.settings import ConfigurationError, Secret, described_fields, load, read_env_file, variable_name

_CLOSE = 0.85
"""How alike two names are when one is the other misspelt, of 1 (:mod:`difflib`)."""

_OTEL = "OTEL_"
"""How the settings of OpenTelemetry's SDK begin, which it reads by itself."""


def read_settings(
    sections: Iterable[type[Section]],
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
) -> tuple[Settings, dict[str, str]]:
    """Settings and the origin of each. Raises :class:`ConfigurationError` with a line for each that is wrong, and for
    each name that looks misspelt.
    """
    environ = os.environ if environ is None else environ
    kinds: list[type[Settings | Section]] = [Settings, *sections]
    found: dict[Any, Any] = {}
    origins: dict[str, str] = {}
    wrong: list[str] = []
    if environ is os.environ:  # the only place where its SDK looks for them
        for name, text in read_env_file(env_file).items():
            if name.startswith(_OTEL):
                os.environ.setdefault(name, text)
    for kind in kinds:
        try:
            found[kind], more = load(kind, environ, env_file)
        except ConfigurationError as exc:
            wrong.append(str(exc))
            continue
        if taken := origins.keys() & more.keys():
            raise ValueError(f"settings are declared twice: {sorted(taken)}")
        origins |= more
    if wrong:
        raise ConfigurationError("\n".join([*wrong, *misspelt_names(kinds, environ, env_file)]))
    settings: Settings = found.pop(Settings)
    for section in found.values():
        section.check(settings)
    return msgspec.structs.replace(settings, sections=found), origins


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
            said.append(f"{name}: not a setting; {close[0]} is one")
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
