from typing import Annotated

from msgspec import Meta

from app.config import Section, Settings
from app.lib.settings import ConfigurationError


class WebhookSettings(Section, frozen=True, kw_only=True):
    """Where webhooks may go."""

    webhooks_allow_private: Annotated[
        bool, Meta(description="Webhooks may go to http and to private addresses; refused in production.")
    ] = False

    def check(self, settings: Settings) -> None:
        """Refuses private addresses in production."""
        if settings.is_production and self.webhooks_allow_private:
            raise ConfigurationError("WEBHOOKS_ALLOW_PRIVATE: refused in production")
