"""Errors of sign-in and refresh as OAuth2 clients read them (RFC 6749 section 5.2), in the members of a problem.

Where that section and the contract of all routes differ in a status, the contract wins: wrong credentials are 401. What
is wrong with a form is 400; in JSON it is 422, as everywhere.
"""

import re
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from app.domain.auth.errors import AccountInactive, InvalidCredentials, InvalidForm, MfaRequired
from app.lib.errors import AppError, FieldCode, InvalidToken, ValidationFailed
from app.lib.http.problems import MAX_DESCRIPTION, error_of, respond
from app.lib.wire.dto import has_form

FORM_ERRORS = "What is wrong with a form is 400, with the `error` of RFC 6749, section 5.2."
"""For the descriptions of routes in the OpenAPI document."""

_FAULTS_OF_REQUESTS = {400, 408, 413}
_NOT_DESCRIBING = re.compile(r"[^ !#-\[\]-~]")
"""What an ``error_description`` may not have."""


def _refuse(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    error = error_of(exc, request.scope)
    if has_form(request) and isinstance(error, ValidationFailed):
        error = InvalidForm(error.errors)
    if (name := _oauth2_error(error, in_form=has_form(request))) is not None:
        fields = (f"{each.pointer[1:]}: {each.detail}" if each.pointer else each.detail for each in error.errors)
        description = _NOT_DESCRIBING.sub("?", " ".join([error.detail, *fields]))[:MAX_DESCRIPTION]
        error.extensions |= {"error": name, "error_description": description}
    return respond(request, error)


def _oauth2_error(error: AppError, *, in_form: bool) -> str | None:
    """None for what has no code there, such as a limit that is reached. ``mfa_required`` is ours."""
    if isinstance(error, MfaRequired):
        return MfaRequired.code.value
    if isinstance(error, InvalidCredentials | AccountInactive | InvalidToken):
        return "invalid_grant"
    if not in_form or error.status not in _FAULTS_OF_REQUESTS:
        return None
    if any(each.pointer == "/grant_type" and each.code is FieldCode.INVALID_CHOICE for each in error.errors):
        return "unsupported_grant_type"
    is_scope = {each.pointer for each in error.errors} == {"/scope"}
    return "invalid_scope" if is_scope else "invalid_request"


TOKEN_ERRORS: dict[int | type[Exception], Any] = dict.fromkeys(
    (AppError, ValidationFailed, HTTPException, ValidationException), _refuse
)
"""The ``exception_handlers`` of a route."""
