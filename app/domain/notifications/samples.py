"""Sample values for every mail of this service."""

from collections.abc import Mapping
from typing import Any

_AT = "2026-01-31T12:00:00+00:00"

SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "password_changed": {"at": _AT},
    "registered_again": {},
    "session_reused": {"at": _AT},
    "test": {},
    "welcome": {},
}
"""By template: what its context has in addition to what every template has."""
