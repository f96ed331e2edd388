from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from app.config import Section
from app.lib.audit import Stream


class AuditSettings(Section, frozen=True, kw_only=True):
    """How long the audit log is kept. It is dropped by whole days, so an event may stay a day longer."""

    audit_retention_days: Annotated[int, Meta(ge=1, le=3650, description="How long the audit log is kept.")] = 400
    audit_failed_sign_in_days: Annotated[
        int,
        Meta(ge=1, le=3650, description="How long the audit log keeps what strangers cause: failed sign-ins, denials."),
    ] = 90

    @property
    def days(self) -> Mapping[Stream, int]:
        """How long the events of a stream are kept."""
        return {Stream.LASTING: self.audit_retention_days, Stream.BRIEF: self.audit_failed_sign_in_days}
