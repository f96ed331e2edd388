"""The kinds of events in the audit log: a closed list, declared by each domain in its ``audit.py``."""

from enum import StrEnum

import msgspec

MAX_KIND_LENGTH = 64


class Stream(StrEnum):
    """A chain of events that are kept for the same time."""

    LASTING = "lasting"
    BRIEF = "brief"


class AuditKind(msgspec.Struct, frozen=True):
    """``is_own``: the user whom it is about sees it among their security events. ``by_strangers``: it needs no account,
    or a new one, so it is kept for a shorter time, in a chain of its own.
    """

    name: str
    description: str
    is_own: bool = False
    by_strangers: bool = False


KINDS: dict[str, AuditKind] = {}
"""All that is declared, by name."""


def declare(*kinds: AuditKind) -> tuple[AuditKind, ...]:
    """Declares kinds. Raises ``ValueError`` when one is declared twice."""
    for kind in kinds:
        if KINDS.setdefault(kind.name, kind) != kind or len(kind.name) > MAX_KIND_LENGTH:
            raise ValueError(f"audit kind {kind.name} is declared twice, or too long")
    return kinds


def stream_of(kind: str) -> Stream:
    """The chain that events of the kind belong to; what an older version recorded lasts."""
    found = KINDS.get(kind)
    return Stream.BRIEF if found is not None and found.by_strangers else Stream.LASTING
