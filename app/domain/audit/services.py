from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.audit.dtos import AuditEventPage, SecurityEventPage
from app.domain.audit.repositories import AUDIT_LIST, security_events
from app.lib.addresses import canonical_address
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

AUDIT_SORT = AUDIT_LIST.sort_parameter()


@dataclass
class AuditQueries:
    """The audit log as far as it is chained: what was recorded within the last second may be missing."""

    reader: Reader
    cursors: CursorCodec

    async def list(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> AuditEventPage:
        """Client addresses in ``filters`` may be written in any way."""
        written = filters.get("address") or ()
        addresses = [canonical_address(each) or each for each in written]
        found = {**filters, "address": addresses or None}
        return await paginate(self.reader, AUDIT_LIST, paging, self.cursors, sort=sort, filters=found)

    async def list_own(
        self, paging: PageRequest, filters: Mapping[str, Any], principal: Principal
    ) -> SecurityEventPage:
        """The caller's own."""
        of_caller = {**filters, "subject_id": principal.user_id}
        return await paginate(self.reader, security_events(), paging, self.cursors, filters=of_caller)
