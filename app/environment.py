"""Reads the settings of the process and its domains, and makes the secret key where none is set."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from app.config import Section, Settings
from app.lib.security.secret_key import keep_secret
from app.lib.settings import ConfigurationError, Secret, load


def read_settings(
    sections: Iterable[type[Section]],
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
) -> tuple[Settings, dict[str, str]]:
    """Settings and the origin of each. Raises :class:`ConfigurationError` with one clear line."""
    environ = os.environ if environ is None else environ
    settings, origins = load(Settings, environ, env_file)
    found: dict[type[Section], Section] = {}
    for kind in sections:
        found[kind], more = load(kind, environ, env_file)
        if taken := origins.keys() & more.keys():
            raise ValueError(f"settings are declared twice: {sorted(taken)}")
        origins |= more
    for section in found.values():
        section.check(settings)
    return msgspec.structs.replace(settings, sections=found), origins


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
