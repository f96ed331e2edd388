"""Names of roles, and those that no role gets."""

import re

ROLE_NAME = r"^[a-z][a-z0-9_-]{1,49}$(?!\n)"

_RESERVED = frozenset(
    ["superuser", "root", "system", "service", "anonymous", "public", "authenticated", "everyone", "all", "none"]
)
"""Who the service itself speaks of: a role of such a name would read like more than it is, or like all users."""
_SEPARATORS = re.compile("[_-]")


def is_role_name(name: str) -> bool:
    """Whether it is spelled like one: lower case and ASCII, so that no two look the same."""
    return re.match(ROLE_NAME, name) is not None


def is_reserved_role(name: str) -> bool:
    """Whether a name reads like a reserved one, hyphens and underscores aside."""
    return _SEPARATORS.sub("", name) in _RESERVED
