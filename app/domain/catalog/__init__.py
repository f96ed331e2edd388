"""The catalogue: products, their prices and their stock."""

from app.domain.catalog.audit import AUDIT_KINDS
from app.domain.catalog.controllers import ProductController
from app.domain.catalog.errors import InsufficientStock
from app.domain.catalog.permissions import PERMISSIONS
from app.domain.catalog.steps import STEPS
from app.domain.catalog.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

catalog = Domain(
    name="catalog",
    controllers=(ProductController,),
    audit_kinds=AUDIT_KINDS,
    permissions=PERMISSIONS,
    error_codes=(InsufficientStock.code,),
    webhook_kinds=WEBHOOK_KINDS,
    demo="app.domain.catalog.demo:seed",
    steps=STEPS,
    tag_group="Shop",
    tags=(("Products", "What is on offer, for how much, and how much of it there is."),),
)
