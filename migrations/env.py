"""Runs revisions on the connection that :mod:`app.lib.db.migrations` hands over; it owns the transaction."""

from typing import Literal

from advanced_alchemy.types import DateTimeUTC
from alembic import context

import app.asgi  # noqa: F401 - every table has to be known
from app.lib.db.base import metadata
from app.lib.db.migrations import is_modelled


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Revisions must not depend on what today's models import."""
    if kind == "type" and isinstance(item, DateTimeUTC):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    include_name=is_modelled,
    render_item=render_item,
    transactional_ddl=False,
    transaction_per_migration=False,
)
context.run_migrations()
