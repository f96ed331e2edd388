from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from app.config import Section, Settings


class WebhookSettings(Section, frozen=True, kw_only=True):
    """Where webhooks may go, and how many deliveries may wait."""

    webhooks_allow_private: Annotated[
        bool, Meta(description="Webhooks may go to http and to private addresses; refused in production.")
    ] = False
    webhooks_max_pending: Annotated[
        int, Meta(ge=1, le=100_000, description="Deliveries of one webhook that may wait; a further one fails at once.")
    ] = 1_000

    def faults(self, settings: Settings) -> Iterator[str]:
        """Refuses private addresses in production."""
        if settings.is_production and self.webhooks_allow_private:
            yield "WEBHOOKS_ALLOW_PRIVATE: refused in production"
