"""The built-in test provider: it moves no money, but keeps a ledger as a real one would."""

from typing import Any
from uuid import UUID

from app.domain.orders.repositories.payments import ENTER
from app.domain.orders.services.provider import Charge, MoneyBack, Outcome, OutcomeUnknown
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.wire.money import Money

TEST, DECLINE, TIMEOUT, TWICE = "test", "test_decline", "test_timeout", "test_twice"


class SandboxProvider:
    """``test`` succeeds, ``test_decline`` is declined, ``test_timeout`` succeeds without saying so the first time,
    ``test_twice`` is a network that delivers the request twice.
    """

    name = "test"
    methods = frozenset({TEST, DECLINE, TIMEOUT, TWICE})

    def __init__(self, database: Database) -> None:
        self._database = database

    async def charge(self, charge: Charge) -> Outcome:
        """Raises ``OutcomeUnknown`` where the method says so."""
        outcome = Outcome.DECLINED if charge.method == DECLINE else Outcome.SUCCEEDED
        calls = await self._enter(charge.reference, "charge", outcome, charge.amount, charge.method)
        if charge.method == TWICE:
            calls = await self._enter(charge.reference, "charge", outcome, charge.amount, charge.method)
        if charge.method == TIMEOUT and calls == 1:
            raise OutcomeUnknown("The test provider does not answer, as requested.")
        return outcome

    async def refund(self, refund: MoneyBack) -> None:
        """Always succeeds."""
        await self._enter(refund.reference, "refund", Outcome.SUCCEEDED, refund.amount, TEST)

    async def _enter(self, reference: UUID, kind: str, outcome: Outcome, amount: Money, method: str) -> int:
        """Enters a transaction once. Returns how often that was asked for."""
        values: dict[str, Any] = {
            "reference": reference,
            "kind": kind,
            "outcome": outcome.value,
            "method": method,
            "amount_units": amount.minor_units,
            "currency": amount.currency,
            "calls": 1,
            "created_at": utc_now(),
        }
        return await in_transaction(self._database, lambda unit: unit.first(ENTER, **values)) or 0
