"""Who sees a room, and who may change it."""

from uuid import UUID

from app.domain.realtime.errors import NotYourRoom
from app.domain.realtime.permissions import ROOMS_READ, ROOMS_WRITE
from app.lib.security.principal import Principal


def can_see_all(viewer: Principal) -> bool:
    """Staff with either permission."""
    return viewer.may(ROOMS_READ) or viewer.may(ROOMS_WRITE)


def require_can_manage(owner_id: UUID | None, actor: Principal) -> None:
    """Raises ``NotYourRoom`` unless the actor owns the room, or may change all rooms."""
    if owner_id != actor.user_id and not actor.may(ROOMS_WRITE):
        raise NotYourRoom(ROOMS_WRITE)
