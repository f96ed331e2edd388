"""Orders: placed, paid, shipped, delivered, cancelled, refunded."""

from app.domain.orders.controllers import OrderController
from app.domain.orders.errors import PaymentDeclined
from app.domain.orders.jobs import JOBS
from app.domain.orders.listeners import LISTENERS
from app.domain.orders.permissions import PERMISSIONS
from app.domain.orders.providers import PROVIDERS
from app.domain.orders.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

orders = Domain(
    name="orders",
    controllers=(OrderController,),
    providers=PROVIDERS,
    permissions=PERMISSIONS,
    listeners=LISTENERS,
    jobs=JOBS,
    webhook_kinds=WEBHOOK_KINDS,
    error_codes=(PaymentDeclined.code,),
    tags=(("Orders", "What was ordered, whether it is paid, and where it is."),),
)
