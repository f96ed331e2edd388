"""Payment: an attempt is a row first, then the provider is asked, then the outcome is written."""

from uuid import UUID

from app.domain.orders.errors import NoPayments, OrderExpired, PaymentDeclined, PaymentInProgress
from app.domain.orders.machine import Role, allowed, find_move
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.repositories.payments import DECLINED, PROCESSING, SUCCEEDED, PaymentRepository
from app.domain.orders.rows import PaymentRow
from app.domain.orders.services.access import roles_of, within_reach
from app.domain.orders.services.history import History
from app.domain.orders.services.provider import Charge, Outcome, OutcomeUnknown, PaymentProvider, answer_of
from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.money import Money

ASK_AGAIN_SECONDS = 15.0
"""Longer than any request waits for the provider, so that nobody asks behind the back of a request."""


class PaymentService:
    """Opens transactions of its own, because the provider must not be called inside one."""

    def __init__(self, database: Database, provider: PaymentProvider, events: Events) -> None:
        self._database = database
        self._provider = provider
        self._events = events

    async def pay(self, order_id: UUID, method: str, if_match: IfMatch, customer: Principal) -> bool:
        """Whether the order is paid; False when that is not known yet, and will be later.

        Raises ``OrderNotFound``, ``PermissionDenied``, ``InvalidMove``, ``PreconditionFailed``, ``PaymentInProgress``,
        ``OrderExpired``, ``NoPayments``, ``ValidationFailed`` or ``PaymentDeclined``.
        """
        if self._provider.methods and method not in self._provider.methods:
            detail = f"Must be among: {', '.join(sorted(self._provider.methods))}."
            raise ValidationFailed([FieldError(pointer="/method", code=FieldCode.INVALID_CHOICE, detail=detail)])

        async def begin(unit: UnitOfWork) -> PaymentRow:
            return await self._begin(unit, order_id, method, if_match, customer)

        status = await self.settle(await in_transaction(self._database, begin))
        if status == DECLINED:
            raise PaymentDeclined
        return status == SUCCEEDED

    async def _begin(
        self, unit: UnitOfWork, order_id: UUID, method: str, if_match: IfMatch, customer: Principal
    ) -> PaymentRow:
        orders = OrderRepository(unit.session)
        order = within_reach(await orders.lock(order_id), customer)
        roles = roles_of(customer, order)
        find_move("pay", order.status, roles)
        if_match.check(order.version)
        if order.payment_processing:
            raise PaymentInProgress
        if await orders.is_overdue(order_id):
            raise OrderExpired(order.status, allowed(order.status, roles))
        if not self._provider.methods:
            raise NoPayments(order.status, allowed(order.status, roles))
        payment = PaymentRow(
            id=new_id(),
            order_id=order_id,
            provider=self._provider.name,
            method=method,
            status=PROCESSING,
            amount_units=order.total_units,
            currency=order.currency,
        )
        await PaymentRepository(unit.session).begin(payment, ask_again=ASK_AGAIN_SECONDS)
        await orders.change(order_id, payment_processing=True)
        return payment

    async def settle(self, payment: PaymentRow) -> str:
        """Asks the provider and writes what it says; the status of the attempt afterwards.

        May be called any number of times for an attempt, also at once: the provider charges a reference once, and an
        outcome is written once.
        """
        amount = Money.from_minor_units(payment.amount_units, payment.currency)
        charge = Charge(reference=payment.id, amount=amount, method=payment.method)
        about = {"payment_id": str(payment.id), "order_id": str(payment.order_id)}
        try:
            outcome = await answer_of(self._provider.charge(charge), "payment", **about)
        except OutcomeUnknown:
            return PROCESSING

        async def write(unit: UnitOfWork) -> str:
            return await self._write(unit, payment, outcome)

        return await in_transaction(self._database, write)

    async def _write(self, unit: UnitOfWork, payment: PaymentRow, outcome: Outcome) -> str:
        orders, payments = OrderRepository(unit.session), PaymentRepository(unit.session)
        order = await orders.lock(payment.order_id)
        if order is None or not await payments.settle(payment.id, outcome.value):
            return await payments.status(payment.id)
        if outcome is Outcome.DECLINED:
            await orders.change(order.id, payment_processing=False)
            return DECLINED
        # While it was processing, nothing else could happen to the order.
        move = find_move("pay", order.status, {Role.CUSTOMER})
        changed = await orders.change(order.id, status=move.target.value, payment_processing=False, expires_at=None)
        await History(unit, self._events).record(changed, "paid", Role.CUSTOMER)
        return SUCCEEDED
