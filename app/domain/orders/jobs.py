"""What is done for orders while nobody asks."""

from app.domain.orders.services.housekeeping import OrderHousekeeping
from app.lib.jobs import Every, JobContext, NoPayload, job


@job("orders.expire", NoPayload, schedule=Every(30), timeout=300)
async def expire_orders(_payload: NoPayload, context: JobContext) -> None:
    await context.service(OrderHousekeeping).expire_orders()


@job("orders.settle_payments", NoPayload, schedule=Every(10), timeout=1200)
async def settle_payments(_payload: NoPayload, context: JobContext) -> None:
    await context.service(OrderHousekeeping).settle_payments()


@job("orders.send_refunds", NoPayload, schedule=Every(30), timeout=1200)
async def send_refunds(_payload: NoPayload, context: JobContext) -> None:
    await context.service(OrderHousekeeping).send_refunds()


JOBS = (expire_orders, settle_payments, send_refunds)
