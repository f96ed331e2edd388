"""The normalised forms by which accounts are unique, sorted and found."""

from app.domain.accounts.errors import EmailTaken, UsernameTaken
from app.domain.accounts.models import User
from app.lib.db.faults import violated_columns
from app.lib.errors import AppError, FieldCode, FieldError, ValidationFailed
from app.lib.security.emails import EmailAddress, InvalidEmail, normalise_email
from app.lib.text import casefold_key


def parse_email(value: str) -> EmailAddress:
    """Raises ``ValidationFailed``."""
    try:
        return normalise_email(value)
    except InvalidEmail as exc:
        error = FieldError(pointer="/email", code=FieldCode.INVALID_FORMAT, detail="Must be an e-mail address.")
        raise ValidationFailed([error]) from exc


def set_email(user: User, email: EmailAddress) -> None:
    user.email, user.email_key = email.address, email.key
    _index(user)


def set_username(user: User, username: str | None) -> None:
    user.username, user.username_key = username, casefold_key(username) if username else None
    _index(user)


def set_name(user: User, name: str | None) -> None:
    user.name, user.name_key = name, casefold_key(name or "")[:400]
    _index(user)


def _index(user: User) -> None:
    user.search_text = "\n".join(filter(None, (user.email_key, user.username_key, user.name_key)))


def taken(exc: BaseException) -> AppError | None:
    """The business error behind a violated unique constraint."""
    columns = violated_columns(exc)
    if "email_key" in columns:
        return EmailTaken()
    if "username_key" in columns:
        return UsernameTaken()
    return None
