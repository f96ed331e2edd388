"""Every table, so that migrations and tests know the whole schema."""

from app.domain.accounts import models as accounts
from app.domain.auth import models as auth
from app.domain.catalog import models as catalog
from app.domain.notifications import models as notifications
from app.domain.orders import models as orders
from app.domain.posts import models as posts
from app.domain.realtime import models as rooms
from app.domain.webhooks import models as webhooks
from app.lib import audit
from app.lib.db import idempotency
from app.lib.db.base import metadata
from app.lib.events import tables as events
from app.lib.jobs import tables as jobs
from app.lib.mail import models as mail
from app.lib.ratelimit.table import rate_limit_table
from app.lib.realtime import tables as realtime

rate_limits = rate_limit_table(metadata)

__all__ = [
    "accounts",
    "audit",
    "auth",
    "catalog",
    "events",
    "idempotency",
    "jobs",
    "mail",
    "metadata",
    "notifications",
    "orders",
    "posts",
    "rate_limits",
    "realtime",
    "rooms",
    "webhooks",
]
