from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from app.config import Section, Settings
from app.lib.mail.message import Mailbox
from app.lib.security.secret_key import weaknesses
from app.lib.settings import WEB_SCHEMES, Secret, WebAddress, is_url, refused


class SystemSettings(Section, frozen=True, kw_only=True):
    """Who may read the metrics, and how many connections the server takes."""

    metrics_token: Annotated[
        Secret | None,
        Meta(description="Bearer token for `/metrics`, at least 32 characters; without it, permission `metrics:read`."),
    ] = None
    sentry_dsn: Annotated[
        Secret | None, Meta(description="Where Sentry takes reports of unexpected errors, see docs/observability.md.")
    ] = None
    api_contact_url: Annotated[
        WebAddress | None, Meta(description="Page where users of the API find help; in the OpenAPI document.")
    ] = None
    api_contact_email: Annotated[
        str | None, Meta(description="Address for users of the API; in the OpenAPI document.")
    ] = None
    max_connections_per_address: Annotated[
        int, Meta(ge=1, description="Connections of a client address, in each worker; trusted proxies are not counted.")
    ] = 2_500

    def faults(self, settings: Settings) -> Iterator[str]:
        """Refuses addresses that are none and, in production, a token that could be guessed."""
        if self.sentry_dsn is not None:
            dsn = self.sentry_dsn.reveal()
            if not is_url(dsn, WEB_SCHEMES, r"(/[^/]+)*/\d+") or not urlsplit(dsn).username:
                yield "SENTRY_DSN: expected a URL such as https://key@sentry.example.com/1"
        if self.api_contact_email is not None:
            expected = "expected an address such as api@example.com"
            yield from refused("API_CONTACT_EMAIL", Mailbox, self.api_contact_email, expected=expected)
        if settings.is_production:
            yield from weaknesses("METRICS_TOKEN", filter(None, [self.metrics_token]))
