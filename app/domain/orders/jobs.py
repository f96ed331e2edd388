from app.domain.orders.services.expire import ExpireService
from app.domain.orders.services.pay import settle_payment
from app.domain.orders.services.refund import send_refund
from app.lib.events import Events
from app.lib.jobs import Every, JobContext, NoPayload, job


@job("orders.expire", NoPayload, schedule=Every(30), timeout=300)
async def expire_orders(_payload: NoPayload, context: JobContext) -> int:
    """Cancels the orders that were not paid in time."""
    return await ExpireService(context.database, context.service(Events)).expire_orders()


JOBS = (expire_orders, settle_payment, send_refund)
