"""The interface of a payment provider."""

import asyncio
from collections.abc import Awaitable
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec
import structlog

from app.lib.jobs import Postpone, Retry
from app.lib.wire.money import Money

T = TypeVar("T")

PROVIDER_SECONDS = 10.0
"""How long the provider may take before its answer counts as unknown."""

ASK_AGAIN = Retry(attempts=2_000, first_delay=30.0, max_delay=3600.0, jitter=0.0)
"""How long the provider is asked about a payment or refund whose outcome is unknown: for more than 80 days."""
_OTHER_PROVIDER_SECONDS = 3600.0

log = structlog.stdlib.get_logger(__name__)


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    DECLINED = "declined"


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """``reference`` makes it idempotent: a repeated charge is charged once and has the same outcome."""

    reference: UUID
    amount: Money
    method: str


class MoneyBack(msgspec.Struct, frozen=True, kw_only=True):
    """``reference`` makes it idempotent; ``charge`` is the reference of what was paid."""

    reference: UUID
    charge: UUID
    amount: Money


class OutcomeUnknown(Exception):
    """The provider did not answer, or not in a way that shows whether it did what it was asked."""


async def answer_of(call: Awaitable[T], what: str, **about: str) -> T:
    """The provider's answer. Raises ``OutcomeUnknown`` for any failure and when it takes too long: the provider may
    have done what it was asked. ``what`` and ``about`` are for the log.
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
    """Another company's service: slow, sometimes unavailable, and never called inside a transaction."""

    @property
    def name(self) -> str:
        """Kept with each payment, because only this provider can settle or refund it. It never changes."""
        ...

    @property
    def methods(self) -> frozenset[str]:
        """The methods of payment. Without any, orders cannot be paid."""
        ...

    async def charge(self, charge: Charge) -> Outcome:
        """Takes the money. Raises ``OutcomeUnknown``; the caller may ask again with the same reference."""
        ...

    async def refund(self, refund: MoneyBack) -> None:
        """Gives money back. Raises ``OutcomeUnknown``; the caller asks again with the same reference."""
        ...


def require_provider(provider: PaymentProvider, name: str) -> None:
    """For jobs. Raises ``Postpone`` until the provider of this name is configured again."""
    if provider.name != name:
        raise Postpone(_OTHER_PROVIDER_SECONDS)


class NoProvider:
    """For a deployment that takes no payments: orders can be placed, but not paid."""

    name = "none"
    methods: frozenset[str] = frozenset()

    async def charge(self, charge: Charge) -> Outcome:
        """Raises ``OutcomeUnknown``, always."""
        raise OutcomeUnknown(charge.reference)

    async def refund(self, refund: MoneyBack) -> None:
        """Raises ``OutcomeUnknown``, always."""
        raise OutcomeUnknown(refund.reference)
