"""Who sees a room, and who may change it."""

from app.domain.realtime.dtos import OWNER, PUBLIC
from app.domain.realtime.errors import NotYourRoom
from app.domain.realtime.permissions import ROOMS_READ, ROOMS_WRITE
from app.domain.realtime.rows import Standing
from app.lib.security.principal import Principal


def sees_all(viewer: Principal) -> bool:
    """Staff, of whichever kind."""
    return viewer.may(ROOMS_READ) or viewer.may(ROOMS_WRITE)


def sees(visibility: str, standing: Standing, viewer: Principal) -> bool:
    """Whether somebody may know that a room exists."""
    return visibility == PUBLIC or standing.role is not None or standing.is_invited or sees_all(viewer)


def sees_into(standing: Standing, viewer: Principal) -> bool:
    """Whether somebody may know who is in a room and what was said there."""
    return standing.role is not None or sees_all(viewer)


def rules(standing: Standing, viewer: Principal) -> bool:
    """Whether a room is somebody's to change."""
    return standing.role == OWNER or viewer.may(ROOMS_WRITE)


def require_rule(standing: Standing, viewer: Principal) -> None:
    """Raises ``NotYourRoom``."""
    if not rules(standing, viewer):
        raise NotYourRoom(ROOMS_WRITE)
