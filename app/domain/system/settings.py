from typing import Annotated

from msgspec import Meta

from app.config import Section
from app.lib.settings import Secret


class SystemSettings(Section, frozen=True, kw_only=True):
    """Who may read the metrics."""

    metrics_token: Annotated[
        Secret | None, Meta(description="Bearer token for `/metrics`; without it, permission `metrics:read`.")
    ] = None
