"""Settings by an environment that a test makes up, without a file."""

import pytest

from app.asgi import load_settings
from app.config import Settings
from app.lib.settings import ConfigurationError


def settings_from(**environ: str) -> Settings:
    return load_settings(environ, None)[0]


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings_from(**environ)
    return str(caught.value)
