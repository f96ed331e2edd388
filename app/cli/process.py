"""The process of a command."""

import secrets

import msgspec

from app.asgi import DOMAINS, load_settings
from app.config import Settings
from app.core import Core
from app.environment import with_secret_key
from app.lib.settings import Secret


def make_core() -> Core:
    """The core of a command that works on the database. Raises ``ConfigurationError``."""
    return Core(with_secret_key(load_settings()[0]), DOMAINS)


def with_throwaway_secret(settings: Settings) -> Settings:
    """Settings for a process that only describes itself, so that it needs no secret of its own."""
    return msgspec.structs.replace(settings, secret_key=settings.secret_key or Secret(secrets.token_urlsafe(48)))
