"""What goes when a user is deleted, besides sessions."""

from sqlalchemy import bindparam, delete, exists, select

from app.domain.auth import models
from app.lib.db.base import Base, table_of
from app.lib.db.prepared import prepare
from app.lib.db.statements import delete_batch
from app.lib.jobs.tables import JobStatus, QueuedJob

_held: list[type[Base]] = [
    each
    for each in vars(models).values()
    if isinstance(each, type) and issubclass(each, Base) and hasattr(each, "user_id") and each is not models.Session
]
DELETE_CREDENTIALS_OF = tuple(
    prepare(delete(table).where(table.c.user_id == bindparam("user_id"))) for table in map(table_of, _held)
)
"""Keys, factors and links: some dozens of rows. They would go with the user's row, which may take a while."""

_jobs = table_of(QueuedJob)
_is_theirs = (_jobs.c.name == bindparam("name"), _jobs.c.key.like(bindparam("key_pattern")))
FORGET_JOBS = prepare(delete_batch(_jobs, *_is_theirs, _jobs.c.status != JobStatus.RUNNING.value))
IS_A_JOB_LEFT = prepare(select(exists().where(*_is_theirs)), bool)
