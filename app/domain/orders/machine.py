"""The life of an order as one table: which transition leads from where to where, and who may make it."""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from app.domain.orders.errors import InvalidTransition
from app.lib.errors import PermissionDenied


class Status(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Role(StrEnum):
    """What a person is to an order. They may be several at once."""

    CUSTOMER = "customer"
    STAFF = "staff"
    SYSTEM = "system"


class Transition(msgspec.Struct, frozen=True):
    name: str
    sources: frozenset[Status]
    target: Status
    by: frozenset[Role]


def _transition(name: str, sources: Collection[Status], target: Status, *by: Role) -> Transition:
    return Transition(name, frozenset(sources), target, frozenset(by))


TRANSITIONS = (
    _transition("pay", {Status.PENDING}, Status.PAID, Role.CUSTOMER),
    _transition("cancel", {Status.PENDING}, Status.CANCELLED, Role.CUSTOMER, Role.STAFF),
    _transition("cancel", {Status.PAID}, Status.CANCELLED, Role.STAFF),
    _transition("expire", {Status.PENDING}, Status.CANCELLED, Role.SYSTEM),
    _transition("ship", {Status.PAID}, Status.SHIPPED, Role.STAFF),
    _transition("deliver", {Status.SHIPPED}, Status.DELIVERED, Role.STAFF),
    _transition("refund", {Status.PAID, Status.SHIPPED, Status.DELIVERED}, Status.REFUNDED, Role.STAFF),
)


def allowed(status: str, roles: Collection[Role]) -> list[str]:
    """The names of the transitions that are possible now."""
    return [each.name for each in TRANSITIONS if status in each.sources and each.by.intersection(roles)]


def require_transition(name: str, status: str, roles: Collection[Role]) -> Transition:
    """The transition. Raises ``PermissionDenied`` where none of the roles may ever make it, and ``InvalidTransition``
    where it is not possible now, or not for these roles.
    """
    own = [each for each in TRANSITIONS if each.name == name and each.by.intersection(roles)]
    if not own:
        raise PermissionDenied
    for each in own:
        if status in each.sources:
            return each
    raise InvalidTransition(name, status, allowed(status, roles))
