"""What a payment provider has to offer."""

from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from app.lib.money import Money


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    DECLINED = "declined"


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """``reference`` makes it idempotent: asked for again, it is charged once and has the same outcome."""

    reference: UUID
    amount: Money
    method: str


class MoneyBack(msgspec.Struct, frozen=True, kw_only=True):
    """``reference`` makes it idempotent; ``charge`` is the reference of what was paid."""

    reference: UUID
    charge: UUID
    amount: Money


class OutcomeUnknown(Exception):
    """The provider did not answer, or not in a way that tells whether it did what it was asked."""


class PaymentProvider(Protocol):
    """Another company's service: slow, sometimes away, and never called inside a transaction."""

    @property
    def name(self) -> str:
        """Kept with each payment, because nobody else can settle it or give it back. It never changes."""
        ...

    @property
    def methods(self) -> frozenset[str]:
        """The methods that one can pay by. None at all means that nobody can pay."""
        ...

    async def charge(self, charge: Charge) -> Outcome:
        """Takes the money. Raises ``OutcomeUnknown``; whoever calls may ask again with the same reference."""
        ...

    async def refund(self, refund: MoneyBack) -> None:
        """Gives money back. Raises ``OutcomeUnknown``; whoever calls asks again with the same reference."""
        ...


class NoProvider:
    """What a deployment has that takes no money: orders can be placed, and not be paid."""

    name = "none"
    methods: frozenset[str] = frozenset()

    async def charge(self, charge: Charge) -> Outcome:
        """Raises ``OutcomeUnknown``, always: nobody is there to ask."""
        raise OutcomeUnknown(charge.reference)

    async def refund(self, refund: MoneyBack) -> None:
        """Raises ``OutcomeUnknown``, always."""
        raise OutcomeUnknown(refund.reference)
