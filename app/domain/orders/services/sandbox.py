"""The built-in test provider: it moves no money, but keeps books as a real one would."""

from uuid import UUID

from app.domain.orders.repositories.payments import SandboxLedger
from app.domain.orders.rows import PaymentRow, RefundRow
from app.domain.orders.services.provider import Charge, MoneyBack, Outcome, OutcomeUnknown
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.db.uow import UnitOfWork

TEST, DECLINE, TIMEOUT, TWICE = "test", "test_decline", "test_timeout", "test_twice"


class SandboxProvider:
    """``test`` succeeds, ``test_decline`` is declined, ``test_timeout`` succeeds without saying so the first time,
    ``test_twice`` is a network that hands the request over twice.
    """

    name = "test"
    methods = frozenset({TEST, DECLINE, TIMEOUT, TWICE})

    def __init__(self, database: Database) -> None:
        self._database = database

    async def charge(self, charge: Charge) -> Outcome:
        """Raises ``OutcomeUnknown`` as the method wants it."""
        outcome = Outcome.DECLINED if charge.method == DECLINE else Outcome.SUCCEEDED
        payment = PaymentRow(
            id=charge.reference,
            provider=self.name,
            order_id=charge.reference,
            method=charge.method,
            status=outcome.value,
            amount_units=charge.amount.minor_units,
            currency=charge.amount.currency,
        )
        calls = await self._enter(charge.reference, "charge", outcome, payment, charge.method)
        if charge.method == TWICE:
            calls = await self._enter(charge.reference, "charge", outcome, payment, charge.method)
        if charge.method == TIMEOUT and calls == 1:
            raise OutcomeUnknown("The test provider does not answer, as it was told.")
        return outcome

    async def refund(self, refund: MoneyBack) -> None:
        """Always succeeds."""
        row = RefundRow(
            id=refund.reference,
            payment_id=refund.charge,
            amount_units=refund.amount.minor_units,
            currency=refund.amount.currency,
        )
        await self._enter(refund.reference, "refund", Outcome.SUCCEEDED, row, TEST)

    async def _enter(
        self, reference: UUID, kind: str, outcome: Outcome, row: PaymentRow | RefundRow, method: str
    ) -> int:
        async def enter(unit: UnitOfWork) -> int:
            return await SandboxLedger(unit).enter(reference, kind, outcome.value, row, method)

        return await in_transaction(self._database, enter)
