from typing import Annotated

from msgspec import Meta

from app.config import Section, Settings
from app.lib.security.secret_key import check_secret
from app.lib.settings import Secret


class SystemSettings(Section, frozen=True, kw_only=True):
    """Who may read the metrics, and how many connections the server takes."""

    metrics_token: Annotated[
        Secret | None,
        Meta(description="Bearer token for `/metrics`, at least 32 characters; without it, permission `metrics:read`."),
    ] = None
    max_connections_per_address: Annotated[
        int, Meta(ge=1, description="Connections of a client address, in each worker; trusted proxies are not counted.")
    ] = 2_500

    def check(self, settings: Settings) -> None:
        """Refuses a token that could be guessed in production."""
        if settings.is_production and self.metrics_token is not None:
            check_secret("METRICS_TOKEN", self.metrics_token)
