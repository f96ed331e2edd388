from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from app.domain.accounts.errors import AccountGone
from app.lib.db.faults import refers_to_nobody


@contextmanager
def of_living_account() -> Generator[None]:
    """Around the insertion of what belongs to whoever asks, and refers to nothing else that may be missing.

    Raises ``AccountGone``: another worker may have deleted the account since the caller was let in.
    """
    try:
        yield
    except IntegrityError as exc:
        if refers_to_nobody(exc, "users"):
            raise AccountGone from exc
        raise
