"""Routes of one's own account, when there is none any more."""

from typing import Any

from litestar import Request, Response

from app.domain.accounts.errors import AccountGone
from app.lib.errors import NotFound
from app.lib.http.problems import respond


def account_gone(request: Request[Any, Any, Any], _: NotFound) -> Response[bytes]:
    """For the exception handlers of a controller below ``/users/me``.

    Another worker may have deleted the account a moment ago: then it is the token that is good for nothing.
    """
    return respond(request, AccountGone())
