"""The life of an order as one table: which move leads from where to where, and who may make it."""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from app.domain.orders.errors import InvalidMove
from app.lib.errors import PermissionDenied


class Status(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Role(StrEnum):
    """What somebody is to an order. A person may be several things at once."""

    CUSTOMER = "customer"
    STAFF = "staff"
    SYSTEM = "system"


class Move(msgspec.Struct, frozen=True):
    name: str
    sources: frozenset[Status]
    target: Status
    by: frozenset[Role]


def _move(name: str, sources: Collection[Status], target: Status, *by: Role) -> Move:
    return Move(name, frozenset(sources), target, frozenset(by))


MOVES = (
    _move("pay", {Status.PENDING}, Status.PAID, Role.CUSTOMER),
    _move("cancel", {Status.PENDING}, Status.CANCELLED, Role.CUSTOMER, Role.STAFF),
    _move("cancel", {Status.PAID}, Status.CANCELLED, Role.STAFF),
    _move("expire", {Status.PENDING}, Status.CANCELLED, Role.SYSTEM),
    _move("ship", {Status.PAID}, Status.SHIPPED, Role.STAFF),
    _move("deliver", {Status.SHIPPED}, Status.DELIVERED, Role.STAFF),
    _move("refund", {Status.PAID, Status.SHIPPED, Status.DELIVERED}, Status.REFUNDED, Role.STAFF),
)


def allowed(status: str, roles: Collection[Role]) -> list[str]:
    """The names of the moves that somebody may make now."""
    return [move.name for move in MOVES if status in move.sources and move.by.intersection(roles)]


def find_move(name: str, status: str, roles: Collection[Role]) -> Move:
    """The move. Raises ``PermissionDenied`` for one that is never theirs, and ``InvalidMove`` for one that is not
    possible now, or not for them.
    """
    theirs = [move for move in MOVES if move.name == name and move.by.intersection(roles)]
    if not theirs:
        raise PermissionDenied
    for move in theirs:
        if status in move.sources:
            return move
    raise InvalidMove(name, status, allowed(status, roles))
