from uuid import UUID

from app.domain.auth.errors import LastWayIn
from app.domain.auth.events import WaysIn
from app.domain.auth.repositories.passkeys import HAS_WAY_IN
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events


async def check_ways_in(unit: UnitOfWork, events: Events, user_id: UUID) -> None:
    """To be called with the user locked, after a way in was taken away: a password, a passkey that needs none, or what
    the domains above know of has to be left. Raises ``LastWayIn``.
    """
    asked = WaysIn(user_id=user_id)
    await events.publish(unit, asked)
    if asked.is_none and not await unit.first(HAS_WAY_IN, user_id=user_id):
        raise LastWayIn
