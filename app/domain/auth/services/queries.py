from dataclasses import dataclass
from uuid import UUID

from app.domain.auth.dtos.sessions import SessionPage
from app.domain.auth.repositories.sessions import KNOWN_ADDRESSES, OWN_SESSIONS
from app.lib.clock import utc_now
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.pagination.parameters import PageRequest
from app.lib.ratelimit.limiter import client_key
from app.lib.security.principal import Principal


@dataclass
class SessionQueries:
    """What users are shown of their own sessions; reads only."""

    reader: Reader
    cursors: CursorCodec

    async def knows_address(self, user_id: UUID, address: str | None) -> bool:
        """Whether the user has a live session at this address. An IPv6 device changes within its network."""
        known = await self.reader.all(KNOWN_ADDRESSES, user_id=user_id, now=utc_now())
        return address is not None and client_key(address) in map(client_key, known)

    async def list(self, paging: PageRequest, viewer: Principal) -> SessionPage:
        """Those that have not ended, the one used last first."""
        own = await self.reader.all(OWN_SESSIONS, user_id=viewer.user_id, current_id=viewer.session_id, now=utc_now())
        return page_of(SessionPage, "sessions", own, paging, self.cursors)
