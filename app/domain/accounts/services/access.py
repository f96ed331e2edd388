"""Whether an actor may change another user, their roles and flags."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from app.domain.accounts.errors import AccountGone, BeyondOwnRights, LastSuperuser
from app.domain.accounts.models import User
from app.domain.accounts.repositories.users import UserRepository
from app.lib.db.faults import refers_to_missing
from app.lib.errors import PermissionDenied
from app.lib.security.principal import Principal


def check_granted(actor: Principal, codes: frozenset[str]) -> None:
    """No actor grants permissions that they lack. Raises ``BeyondOwnRights``."""
    if not actor.may_all(codes):
        raise BeyondOwnRights(sorted(codes - actor.permissions))


async def check_reach(actor: Principal, target: User, users: UserRepository) -> None:
    """No actor changes a user who has permissions that the actor lacks: that would be a way to get them.

    Raises ``BeyondOwnRights``.
    """
    if actor.is_superuser or actor.user_id == target.id:
        return
    if target.is_superuser or not await users.permissions_of(target.id) <= actor.permissions:
        raise BeyondOwnRights


def check_makes_superusers(actor: Principal) -> None:
    """Raises ``PermissionDenied``."""
    if not actor.is_superuser:
        raise PermissionDenied("Only superusers may change who is a superuser.")


def check_not_last(target: User, *, has_others: bool) -> None:
    """``has_others`` says that there is another active superuser. Raises ``LastSuperuser``."""
    if target.is_superuser and target.is_active and not has_others:
        raise LastSuperuser


@contextmanager
def account_must_exist() -> Generator[None]:
    """Turns a foreign-key violation on users into ``AccountGone``: the caller's account was deleted after they were let
    in. Use it around an insert that refers to no other row that may be missing.
    """
    try:
        yield
    except IntegrityError as exc:
        if refers_to_missing(exc, "users"):
            raise AccountGone from exc
        raise
