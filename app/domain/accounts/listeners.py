import structlog

from app.domain.accounts.events import UserRegistered
from app.domain.accounts.repositories.users import GIVE_ROLE
from app.domain.accounts.settings import AccountSettings
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction

log = structlog.stdlib.get_logger(__name__)


@in_transaction(UserRegistered)
async def give_default_role(event: UserRegistered, unit: UnitOfWork, settings: AccountSettings) -> None:
    """To all who register, in whichever way; not to those whom an administrator creates."""
    name = settings.default_role
    if event.by_administrator or name is None:
        return
    if await unit.execute(GIVE_ROLE, user_id=event.aggregate_id, name=name) != 1:
        log.warning("default_role.missing", role=name)


LISTENERS = (give_default_role,)
