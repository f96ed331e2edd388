"""Versions of resources, and which of them a client is willing to overwrite."""

import msgspec

from app.lib.errors import PreconditionFailed, PreconditionRequired


class IfMatch(msgspec.Struct, frozen=True):
    """The versions that a client is willing to overwrite; ``None`` is any.

    ``is_any`` says that the client asked for any, by ``*``, rather than for nothing.
    """

    versions: frozenset[int] | None = None
    is_any: bool = False

    def check(self, version: int) -> None:
        """Raises ``PreconditionFailed`` when the version is not among them."""
        if self.versions is not None and version not in self.versions:
            raise PreconditionFailed

    def require(self) -> None:
        """Raises ``PreconditionRequired`` when the client set no condition.

        ``*`` is one (RFC 9110 section 13.1.1: it holds for any version), and RFC 6585 section 3 wants a condition
        only to prevent overwriting by oversight: a client that sends ``*`` means it.
        """
        if self.versions is None and not self.is_any:
            raise PreconditionRequired
