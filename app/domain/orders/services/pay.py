"""Payment: an attempt is a row first, then the provider is asked, then the outcome is written."""

from uuid import UUID

import msgspec
from msgspec.structs import asdict

from app.domain.orders.errors import NoPayments, OrderExpired, PaymentDeclined, PaymentInProgress
from app.domain.orders.machine import Role, allowed, require_transition
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.repositories.payments import (
    CREATE_PAYMENT,
    DECLINED,
    PAYMENT,
    PROCESSING,
    SETTLE_PAYMENT,
    SUCCEEDED,
)
from app.domain.orders.rows import PaymentRow
from app.domain.orders.services.access import require_writable, roles_of
from app.domain.orders.services.provider import (
    ASK_AGAIN,
    Charge,
    Outcome,
    OutcomeUnknown,
    PaymentProvider,
    answer_of,
    require_provider,
)
from app.domain.orders.services.timeline import Timeline
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.jobs import JobContext, RetryLater, enqueue, job
from app.lib.security.principal import Principal
from app.lib.wire.money import Money

FIRST_ASKED_AFTER = 15.0
"""Seconds. Longer than any request waits for the provider, so that the job does not ask while a request does."""


class PaymentToSettle(msgspec.Struct, frozen=True):
    payment_id: UUID


class PaymentService:
    """Opens transactions of its own, because the provider must not be called inside one."""

    def __init__(self, database: Database, provider: PaymentProvider, events: Events) -> None:
        self._database = database
        self._provider = provider
        self._events = events

    async def pay(self, order_id: UUID, method: str, if_match: IfMatch, customer: Principal) -> bool:
        """Whether the order is paid; False when that is not known yet, and will be later.

        Raises ``OrderNotFound``, ``PermissionDenied``, ``InvalidTransition``, ``PreconditionFailed``,
        ``PaymentInProgress``, ``OrderExpired``, ``NoPayments``, ``ValidationFailed`` or ``PaymentDeclined``.
        """
        if self._provider.methods and method not in self._provider.methods:
            detail = f"Must be among: {', '.join(sorted(self._provider.methods))}."
            raise ValidationFailed([FieldError(pointer="/method", code=FieldCode.INVALID_CHOICE, detail=detail)])
        payment = await in_transaction(
            self._database, lambda unit: self._begin(unit, order_id, method, if_match, customer)
        )
        status = await self.settle(payment)
        if status == DECLINED:
            raise PaymentDeclined
        return status == SUCCEEDED

    async def _begin(
        self, unit: UnitOfWork, order_id: UUID, method: str, if_match: IfMatch, customer: Principal
    ) -> PaymentRow:
        orders = OrderRepository(unit)
        unit.take_turn(order_id)
        order = require_writable(await orders.get_for_update(order_id), customer)
        roles = roles_of(customer, order)
        require_transition("pay", order.status, roles)
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
        await unit.execute(CREATE_PAYMENT, created_at=utc_now(), settled_at=None, **asdict(payment))
        await orders.update(order, payment_processing=True)
        await enqueue(unit, settle_payment, PaymentToSettle(payment.id), delay=FIRST_ASKED_AFTER)
        return payment

    async def settle(self, payment: PaymentRow) -> str:
        """Asks the provider and writes the outcome; the status of the attempt afterwards.

        May be called any number of times for an attempt, also at the same time: the provider charges a reference once,
        and an outcome is written once.
        """
        amount = Money.from_minor_units(payment.amount_units, payment.currency)
        charge = Charge(reference=payment.id, amount=amount, method=payment.method)
        about = {"payment_id": str(payment.id), "order_id": str(payment.order_id)}
        try:
            outcome = await answer_of(self._provider.charge(charge), "payment", **about)
        except OutcomeUnknown:
            return PROCESSING
        return await in_transaction(self._database, lambda unit: self._write(unit, payment, outcome))

    async def _write(self, unit: UnitOfWork, payment: PaymentRow, outcome: Outcome) -> str:
        orders = OrderRepository(unit)
        order = await orders.get_for_update(payment.order_id)
        settled = {"payment_id": payment.id, "outcome": outcome.value, "now": utc_now()}
        if order is None or not await unit.execute(SETTLE_PAYMENT, **settled):
            written = await unit.first(PAYMENT, payment_id=payment.id)
            return payment.status if written is None else written.status
        if outcome is Outcome.DECLINED:
            await orders.update(order, payment_processing=False)
            return DECLINED
        # While it was processing, nothing else could happen to the order.
        transition = require_transition("pay", order.status, {Role.CUSTOMER})
        changed = await orders.update(order, status=transition.target.value, payment_processing=False, expires_at=None)
        await Timeline(unit, self._events).record(changed, "paid", Role.CUSTOMER)
        return SUCCEEDED


@job(
    "orders.settle_payment",
    PaymentToSettle,
    retry=ASK_AGAIN,
    timeout=60,
    key=lambda payload: str(payload.payment_id),
    at_most=4,
)
async def settle_payment(payload: PaymentToSettle, context: JobContext) -> None:
    """Asks the provider again about a payment whose outcome is not known."""
    provider = context.service(PaymentProvider)
    async with context.unit() as unit:
        payment = await unit.first(PAYMENT, payment_id=payload.payment_id)
    if payment is None or payment.status != PROCESSING:
        return
    require_provider(provider, payment.provider)
    service = PaymentService(context.database, provider, context.service(Events))
    if await service.settle(payment) == PROCESSING:
        raise RetryLater(reason="The provider did not tell the outcome.")
