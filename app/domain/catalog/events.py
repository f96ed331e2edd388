"""What happens to products. Their changes are found by ``updated_at``."""

from app.lib.events import Event, event


@event("product.deleted")
class ProductDeleted(Event, frozen=True, kw_only=True):
    """A product was deleted."""
