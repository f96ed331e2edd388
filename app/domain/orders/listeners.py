"""What orders have to do with accounts and mail, in the transaction of the cause."""

from app.domain.accounts.events import UserErasing
from app.domain.orders.events import (
    OrderCancelled,
    OrderChanged,
    OrderPaid,
    OrderRefunded,
    OrderShipped,
    OrderTrackingUpdated,
)
from app.domain.orders.machine import Role
from app.domain.orders.repositories.orders import OrderRepository
from app.lib.db.statements import BATCH
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events, in_transaction
from app.lib.mail.mailer import Mailer, NewMail
from app.lib.webhooks.kinds import WordsErasing


@in_transaction(UserErasing)
async def forget_customer(event: UserErasing, unit: UnitOfWork, events: Events) -> None:
    """The orders stay, with the money and without the person."""
    orders = await OrderRepository(unit).forget_customer(event.user_id)
    if orders:
        await events.publish(unit, WordsErasing(aggregate_ids=tuple(orders), words=("reason",)))
    if len(orders) == BATCH:
        event.more_is_left()


@in_transaction(OrderPaid, OrderShipped, OrderTrackingUpdated, OrderCancelled, OrderRefunded)
async def mail_customer(event: OrderChanged, unit: UnitOfWork, mailer: Mailer) -> None:
    """Not about what customers do themselves for nothing, nor with words of theirs: anyone can register a stranger's
    address.
    """
    tracking = event.tracking if isinstance(event, OrderShipped | OrderTrackingUpdated) else None
    is_theirs = isinstance(event, OrderCancelled) and event.actor != Role.STAFF.value
    if event.customer_id is None or is_theirs or (isinstance(event, OrderTrackingUpdated) and tracking is None):
        return
    customer = await OrderRepository(unit).find_recipient(event.customer_id)
    if customer is None:
        return
    refund = event if isinstance(event, OrderCancelled | OrderRefunded) else None
    context = {
        "change": event.kind.removeprefix("order."),
        "number": str(event.number),
        "amount": f"{event.amount.amount} {event.amount.currency}",
        "is_refunded": "yes" if refund and refund.refund_id else "",
        "reason": (refund and refund.reason) or "",
        "carrier": tracking.carrier if tracking else "",
        "tracking_number": tracking.number if tracking else "",
        "url": (tracking and tracking.url) or "",
    }
    mail = NewMail(
        kind="order_changed",
        business_id=f"{event.aggregate_id}:{event.aggregate_version}",
        user_id=event.customer_id,
        to_address=customer.email,
        locale=customer.locale,
        template="order_changed",
        context=context,
    )
    await mailer.queue(unit, mail)


LISTENERS = (forget_customer, mail_customer)
