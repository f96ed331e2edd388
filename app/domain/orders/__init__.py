"""Orders: placed, paid, shipped, delivered, cancelled, refunded."""

from pathlib import Path

from app.domain.orders.audit import AUDIT_KINDS
from app.domain.orders.build import build
from app.domain.orders.channels import CHANNEL_KINDS
from app.domain.orders.controllers import OrderController
from app.domain.orders.errors import PaymentDeclined, TooManyOpenOrders
from app.domain.orders.exports import EXPORTS
from app.domain.orders.jobs import JOBS
from app.domain.orders.listeners import LISTENERS
from app.domain.orders.permissions import PERMISSIONS
from app.domain.orders.settings import OrderSettings
from app.domain.orders.steps import STEPS
from app.domain.orders.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

orders = Domain(
    name="orders",
    exports=EXPORTS,
    settings=OrderSettings,
    build=build,
    controllers=(OrderController,),
    audit_kinds=AUDIT_KINDS,
    permissions=PERMISSIONS,
    listeners=LISTENERS,
    jobs=JOBS,
    mail_templates=(Path(__file__).parent / "templates",),
    webhook_kinds=WEBHOOK_KINDS,
    channel_kinds=CHANNEL_KINDS,
    error_codes=(PaymentDeclined.code, TooManyOpenOrders.code),
    demo="app.domain.orders.demo:seed",
    steps=STEPS,
    tag_group="Shop",
    tags=(("Orders", "What was ordered, whether it is paid, and where it is."),),
)
