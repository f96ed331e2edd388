"""Problem details (RFC 9457): shape, and what turns into what."""

from typing import Any

import msgspec
import pytest
from litestar import get
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import FromPath
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.asgi import DOMAINS
from app.lib import errors
from app.lib.db.faults import DatabaseUnavailable
from app.lib.domain import Domain, collect_error_codes
from app.lib.errors import AppError, ErrorCode, FieldCode, FieldError, ValidationFailed
from app.lib.http.problems import MEDIA_TYPE, instance_of, litestar_errors
from tests.lib.http.toys import call, in_shell, make_app
from tests.support.listed import agree

DOCUMENTED = """
    malformed_json request_timeout unknown_parameter invalid_cursor unauthenticated invalid_token invalid_credentials
    account_inactive permission_denied mfa_required mfa_enrollment_required password_change_required
    own_sign_in_required reauth_required not_found method_not_allowed
    not_acceptable conflict duplicate invalid_state insufficient_stock payment_declined too_many_open_orders
    precondition_failed precondition_required payload_too_large unsupported_media_type validation_failed
    idempotency_key_reused idempotency_in_progress rate_limited internal_error unavailable
    email_unverified link_required
"""
FIELD_CODES = """
    required unknown_field invalid_type invalid_format too_small too_large too_short too_long invalid_choice not_unique
    not_found read_only weak_password
"""
CODES = collect_error_codes(DOMAINS)
SECRET_TEXT = "INSERT INTO users VALUES ('hunter2')"


class Overdrawn(errors.InvalidState):
    """A business error with members of its own."""

    detail = "The account holds less than that."

    def __init__(self, balance: int) -> None:
        super().__init__(extensions={"balance": balance, "accounts": ["/accounts/1"]}, headers={"X-Hint": "wait"})


async def raising(error: Exception, path: str = "/x") -> Any:
    @get("/{rest:path}")
    async def handler(rest: FromPath[str]) -> None:
        raise error

    app = make_app([handler])
    app.asgi_handler = in_shell(app.asgi_router)
    async with call(app, headers={"X-Request-ID": "request-0001"}) as client:
        return await client.get(path)


async def test_the_shape_is_the_documented_one() -> None:
    response = await raising(
        ValidationFailed(
            [
                FieldError(pointer="/items/0/quantity", code=FieldCode.TOO_SMALL, detail="Must be at least 1."),
                FieldError(parameter="page", code=FieldCode.INVALID_TYPE, detail="Must be an integer."),
                FieldError(header="If-Match", code=FieldCode.INVALID_FORMAT, detail="Must be an ETag."),
            ]
        ),
        "/orders",
    )

    assert response.status_code == 422
    assert response.headers["content-type"] == MEDIA_TYPE == "application/problem+json"
    assert response.json() == {
        "type": "/problems/validation-failed",
        "title": "Some fields are invalid",
        "status": 422,
        "code": "validation_failed",
        "detail": "3 errors in the request.",
        "instance": "/orders",
        "request_id": "request-0001",
        "errors": [
            {"code": "too_small", "detail": "Must be at least 1.", "pointer": "/items/0/quantity"},
            {"code": "invalid_type", "detail": "Must be an integer.", "parameter": "page"},
            {"code": "invalid_format", "detail": "Must be an ETag.", "header": "If-Match"},
        ],
    }


async def test_errors_are_left_out_where_there_are_none() -> None:
    assert set((await raising(errors.Conflict())).json()) == {
        "type", "title", "status", "code", "detail", "instance", "request_id",
    }  # fmt: skip


async def test_an_error_may_have_members_and_headers_of_its_own() -> None:
    response = await raising(Overdrawn(12))

    assert response.json()["balance"] == 12
    assert response.json()["accounts"] == ["/accounts/1"]
    assert response.json()["code"] == "invalid_state"
    assert response.headers["x-hint"] == "wait"


async def test_a_reply_names_at_most_50_errors() -> None:
    many = [FieldError(pointer=f"/{n}", code=FieldCode.REQUIRED, detail="Is required.") for n in range(80)]

    response = await raising(ValidationFailed(many))

    assert len(response.json()["errors"]) == 50
    assert response.json()["detail"] == "80 errors in the request."


async def test_the_title_belongs_to_the_code_and_the_detail_to_the_case() -> None:
    first = (await raising(errors.Conflict("One thing."))).json()
    second = (await raising(errors.Conflict("Another thing."))).json()

    assert first["title"] == second["title"] == errors.Conflict.code.title
    assert (first["detail"], second["detail"]) == ("One thing.", "Another thing.")


def test_every_code_has_a_title_of_its_own_and_advice() -> None:
    assert len({code.title for code in CODES}) == len(CODES)
    assert all(code.advice.endswith(".") for code in CODES)
    assert errors.NotFound.code.type == "/problems/not-found"


def test_the_codes_are_the_documented_ones() -> None:
    agree((code.value for code in CODES), DOCUMENTED.split(), "DOCUMENTED")
    agree((code.value for code in FieldCode), FIELD_CODES.split(), "FIELD_CODES")


def test_a_code_that_two_errors_declare_differently_is_refused() -> None:
    other = ErrorCode("not_found", "Lost", "Look for it.")

    with pytest.raises(ValueError, match="not_found is declared twice"):
        collect_error_codes([Domain(name="lost", error_codes=(other,))])


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (HTTPException(SECRET_TEXT, status_code=400), 400, "malformed_json"),
        (HTTPException(SECRET_TEXT, status_code=404), 404, "not_found"),
        (HTTPException(SECRET_TEXT, status_code=413), 413, "payload_too_large"),
        (HTTPException(SECRET_TEXT, status_code=503), 503, "unavailable"),
        (HTTPException(SECRET_TEXT, status_code=500), 500, "internal_error"),
        (HTTPException(SECRET_TEXT, status_code=418), 500, "internal_error"),
        (ValidationException(SECRET_TEXT), 422, "validation_failed"),
        (OperationalError(SECRET_TEXT, {}, OSError(SECRET_TEXT)), 503, "unavailable"),
        (PoolTimeout(SECRET_TEXT), 503, "unavailable"),
        (DatabaseUnavailable(), 503, "unavailable"),
        (FileNotFoundError(SECRET_TEXT), 500, "internal_error"),
        (RuntimeError(SECRET_TEXT), 500, "internal_error"),
        (TypeError(SECRET_TEXT), 500, "internal_error"),
        (RecursionError(SECRET_TEXT), 400, "malformed_json"),
        (UnicodeDecodeError("utf-8", b"hunter2", 0, 1, SECRET_TEXT), 400, "malformed_json"),
        (ExceptionGroup(SECRET_TEXT, [RuntimeError(SECRET_TEXT)]), 500, "internal_error"),
    ],
)
async def test_words_of_others_never_get_out(raised: Exception, status: int, code: str) -> None:
    response = await raising(raised)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "hunter2" not in response.text
    assert "INSERT" not in response.text
    if status == 503:
        assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/api/v1/users", "/api/v1/users"),
        ("/a b", "/a%20b"),
        ('/"><script>', "/%22%3E%3Cscript%3E"),
        ("/ü\n\x00", "/%C3%BC%0A%00"),
        ("/\ud800", "/%3F"),
        ("/" + "x" * 2_000, "/" + "x" * 511),
    ],
)
def test_the_instance_is_a_uri_reference_of_bounded_length(path: str, instance: str) -> None:
    assert instance_of(path) == instance


async def test_statuses_and_codes_of_the_kit_agree_with_the_contract() -> None:
    def kinds(kind: type[AppError]) -> list[type[AppError]]:
        return [kind, *(below for each in kind.__subclasses__() for below in kinds(each))]

    expected = {
        "malformed_json": 400, "unknown_parameter": 400, "invalid_cursor": 400,
        "unauthenticated": 401, "invalid_token": 401, "permission_denied": 403, "reauth_required": 403,
        "not_found": 404, "method_not_allowed": 405, "not_acceptable": 406, "request_timeout": 408, "conflict": 409,
        "duplicate": 409, "invalid_state": 409, "precondition_failed": 412, "payload_too_large": 413,
        "unsupported_media_type": 415, "validation_failed": 422, "precondition_required": 428, "rate_limited": 429,
        "internal_error": 500, "unavailable": 503,
    }  # fmt: skip
    own = [kind for kind in kinds(AppError) if kind.__module__ == errors.__name__]
    assert len(own) > 20
    for kind in own:
        if kind is not errors.HeadersTooLarge:
            assert kind.status == expected[kind.code.value], kind


def said(extra: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = litestar_errors(ValidationException(detail="Validation failed for GET /things", extra=extra))
    return [msgspec.to_builtins(error) for error in found]


def test_errors_in_parameters_name_the_parameter() -> None:
    extra = [
        {"message": "Expected `int` >= 1", "key": "page", "source": "query"},
        {"message": "Invalid UUID", "key": "user_id", "source": "path"},
        {"message": "Expected `int`, got `str`", "key": "if_match", "source": "header"},
        {"message": "Invalid enum value 'secret'", "key": "status"},
    ]
    assert said(extra) == [
        {"parameter": "page", "code": "too_small", "detail": "Must be at least 1."},
        {"parameter": "user_id", "code": "invalid_format", "detail": "Must be a UUID."},
        {"header": "If-Match", "code": "invalid_type", "detail": "Must be an integer."},
        {"parameter": "status", "code": "invalid_choice", "detail": "Is not one of the allowed values."},
    ]


def test_errors_in_a_body_without_a_dto_have_pointers() -> None:
    extra = [
        {"message": "Expected `str`, got `int`", "key": "items[0].name", "source": "body"},
        {"message": "Object missing required field `a/b`", "key": "data", "source": "body"},
    ]
    assert [(each["pointer"], each["code"]) for each in said(extra)] == [
        ("/items/0/name", "invalid_type"),
        ("/a~1b", "required"),
    ]


@pytest.mark.parametrize(
    ("detail", "place"),
    [
        ("Missing required query parameter 'q' for path /x", {"parameter": "q"}),
        ("Missing required header parameter 'x-tenant' for path /x", {"header": "X-Tenant"}),
    ],
)
def test_a_missing_parameter_is_required(detail: str, place: dict[str, str]) -> None:
    [error] = litestar_errors(ValidationException(detail=detail))
    assert msgspec.to_builtins(error) == {**place, "code": "required", "detail": "Is required."}


def test_what_litestar_does_not_explain_is_one_general_error() -> None:
    [error] = litestar_errors(ValidationException(detail="secret"))
    assert (error.pointer, error.code, error.detail) == ("", FieldCode.INVALID_FORMAT, "Is not valid.")
