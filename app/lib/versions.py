"""Versions of resources, and which of them a client is willing to overwrite."""

import msgspec

from app.lib.errors import PreconditionFailed, PreconditionRequired


class IfMatch(msgspec.Struct, frozen=True):
    """The versions that a client is willing to overwrite; ``None`` is any."""

    versions: frozenset[int] | None = None

    def check(self, version: int) -> None:
        """Raises ``PreconditionFailed`` when the version is not among them."""
        if self.versions is not None and version not in self.versions:
            raise PreconditionFailed

    def require(self) -> None:
        """Raises ``PreconditionRequired`` when the client named no version."""
        if self.versions is None:
            raise PreconditionRequired
