"""Who sees a room, and who may change it."""

from app.domain.realtime.dtos import OWNER, PUBLIC
from app.domain.realtime.errors import NotYourRoom
from app.domain.realtime.permissions import ROOMS_READ, ROOMS_WRITE
from app.domain.realtime.rows import Standing
from app.lib.security.principal import Principal


def can_see_all(viewer: Principal) -> bool:
    """Staff with either permission."""
    return viewer.may(ROOMS_READ) or viewer.may(ROOMS_WRITE)


def can_see(visibility: str, standing: Standing, viewer: Principal) -> bool:
    """Whether the viewer may know that a room exists."""
    return visibility == PUBLIC or standing.role is not None or standing.is_invited or can_see_all(viewer)


def can_read_messages(standing: Standing, viewer: Principal) -> bool:
    """Whether the viewer may see the members and messages of a room."""
    return standing.role is not None or can_see_all(viewer)


def require_can_manage(standing: Standing, actor: Principal) -> None:
    """Raises ``NotYourRoom`` unless the actor owns the room, or may change all rooms."""
    if standing.role != OWNER and not actor.may(ROOMS_WRITE):
        raise NotYourRoom(ROOMS_WRITE)
