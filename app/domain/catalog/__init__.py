"""The catalogue: products, their prices and their stock."""

from app.domain.catalog.controllers import ProductController
from app.domain.catalog.errors import InsufficientStock
from app.domain.catalog.permissions import PERMISSIONS
from app.domain.catalog.providers import PROVIDERS
from app.lib.domain import Domain

catalog = Domain(
    name="catalog",
    controllers=(ProductController,),
    providers=PROVIDERS,
    permissions=PERMISSIONS,
    error_codes=(InsufficientStock.code,),
    tags=(("Products", "What is on offer, for how much, and how much of it there is."),),
)
