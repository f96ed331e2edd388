"""Every table, so that migrations and tests know the whole schema."""

from app.domain.accounts import models as accounts
from app.domain.auth import models as auth
from app.domain.webhooks import models as webhooks
from app.lib import audit, idempotency
from app.lib.db.base import metadata
from app.lib.ratelimit.table import rate_limit_table

rate_limits = rate_limit_table(metadata)

__all__ = ["accounts", "audit", "auth", "idempotency", "metadata", "rate_limits", "webhooks"]
