"""What a payment provider has to offer."""

import asyncio
from collections.abc import Awaitable
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec
import structlog

from app.lib.wire.money import Money

T = TypeVar("T")

PROVIDER_SECONDS = 10.0
"""How long the provider may take before its answer counts as unknown."""

log = structlog.stdlib.get_logger(__name__)


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


async def answer_of(call: Awaitable[T], what: str, **about: str) -> T:
    """What a provider says. Raises ``OutcomeUnknown`` for anything else that it does, and when it takes too long:
    whatever went wrong, it may have done what it was asked. ``what`` and ``about`` are for the log.
    """
    try:
        async with asyncio.timeout(PROVIDER_SECONDS):
            return await call
    except (OutcomeUnknown, TimeoutError) as exc:
        log.warning("provider.outcome_unknown", asked_for=what, **about)
        raise OutcomeUnknown from exc
    except Exception as exc:
        log.exception("provider.failed", asked_for=what, **about)
        raise OutcomeUnknown from exc


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
