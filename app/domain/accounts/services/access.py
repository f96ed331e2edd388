"""How far somebody's rights reach over other people's accounts."""

from app.domain.accounts.errors import BeyondOwnRights, LastSuperuser
from app.domain.accounts.models import User
from app.domain.accounts.repositories import UserRepository
from app.lib.security.principal import Principal


def check_granted(actor: Principal, codes: frozenset[str]) -> None:
    """Nobody grants what they lack. Raises ``BeyondOwnRights``."""
    if not actor.may_all(codes):
        raise BeyondOwnRights(sorted(codes - actor.permissions))


async def check_reach(actor: Principal, target: User, users: UserRepository) -> None:
    """Nobody changes the account of somebody who has rights that they lack: that would be a way to get them.

    Raises ``BeyondOwnRights``.
    """
    if actor.is_superuser or actor.user_id == target.id:
        return
    if target.is_superuser or not await users.permissions_of(target.id) <= actor.permissions:
        raise BeyondOwnRights


async def check_not_last_superuser(target: User, users: UserRepository) -> None:
    """Locks the superusers, and raises ``LastSuperuser`` when nobody would be left."""
    if target.is_superuser and target.is_active and not set(await users.lock_superusers()) - {target.id}:
        raise LastSuperuser
