"""Devices, as far as they can be distinguished without a cookie."""

import re

from app.lib.audit import Origin
from app.lib.ratelimit.limiter import network_key
from app.lib.security.opaque import digest

_VERSION = re.compile(r"[\d.]+")
_PROGRAMS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}
"""In the order of the search, because programs name others that they are like."""


def device_key(origin: Origin) -> bytes:
    """The same for all sign-ins with one program, in any version, from one network."""
    family = _VERSION.sub("", origin.user_agent or "")
    return digest(f"{family}\n{network_key(origin.address)}")[:16]


def device_name(user_agent: str | None) -> str | None:
    """A name for people, such as ``Firefox, Linux``. None for what we do not know: a mail has no words of strangers."""
    found = (
        next((name for sign, name in names.items() if sign in (user_agent or "")), None)
        for names in (_PROGRAMS, _SYSTEMS)
    )
    return ", ".join(name for name in found if name) or None
