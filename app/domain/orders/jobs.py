"""What is done for orders while nobody asks."""

from app.domain.orders.services.housekeeping import OrderHousekeeping
from app.lib.jobs import Every, JobContext, Nothing, job


@job("orders.expire", Nothing, schedule=Every(30), timeout=300)
async def expire_orders(_nothing: Nothing, context: JobContext) -> None:
    await context.service(OrderHousekeeping).expire_orders()


@job("orders.settle_payments", Nothing, schedule=Every(10), timeout=1200)
async def settle_payments(_nothing: Nothing, context: JobContext) -> None:
    await context.service(OrderHousekeeping).settle_payments()


@job("orders.send_refunds", Nothing, schedule=Every(30), timeout=1200)
async def send_refunds(_nothing: Nothing, context: JobContext) -> None:
    await context.service(OrderHousekeeping).send_refunds()


JOBS = (expire_orders, settle_payments, send_refunds)
