"""Sign-in and objects of others. What fails here writes entries of the audit log and of limits, and nothing else."""

import uuid

from app.cli.security_check.target import (
    API,
    Answer,
    Check,
    Skipped,
    Target,
    checks,
    require,
    require_account,
    unknown_name,
)

CHECKS: list[Check] = []
check = checks(CHECKS)

_VARYING = {"x-request-id", "x-process-time", "ratelimit", "date", "content-length", "age", "cf-ray"}
_ATTEMPTS = 25
_ELSEWHERE = (
    "cannot be checked from here, because headers of this address count as a proxy's: run it from another machine"
)
_UNAUTHORIZED, _NOT_FOUND, _INVALID, _RATE_LIMITED = 401, 404, 422, 429


def _shown(answer: Answer) -> tuple[int, dict[str, object], dict[str, str]]:
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return answer.status, body, {name: value for name, value in answer.headers.items() if name not in _VARYING}


@check("A wrong password and an unknown account get the same answer", "6.3.8")
async def uniform(target: Target) -> None:
    name = target.account.email if target.account else unknown_name()
    answers = [_shown(await target.sign_in(each, "not the password")) for each in (name, unknown_name())]
    require(answers[0][0] == _UNAUTHORIZED, f"a wrong password: {answers[0][0]}")
    require(answers[0] == answers[1], "the two can be distinguished")


@check("An unknown address gets the same answer as any other where a password was forgotten", "6.3.8")
async def forgotten(target: Target) -> None:
    """With an address that no account has, because the other one would be sent a mail."""
    answers = [
        _shown(await target.ask("POST", f"{API}/auth/forgot-password", json={"email": unknown_name()}))
        for _ in range(2)
    ]
    require(answers[0][0] == 202, f"{answers[0][0]}")  # noqa: PLR2004 - accepted
    require(answers[0] == answers[1], "the two can be distinguished")


@check("Fields of rights cannot be set on the own account", "15.3.3", "8.2.3")
async def mass_assignment(target: Target) -> None:
    """To the values that they have, so that a service that accepts them is not changed."""
    bearer = {"Authorization": f"Bearer {require_account(target).access_token}"}
    mine = (await target.ask("GET", f"{API}/users/me", headers=bearer)).json()
    for name in ("id", "is_superuser", "is_active", "is_verified", "roles", "permissions", "password_hash", "version"):
        sent = {name: mine.get(name)}
        answer = await target.ask("PATCH", f"{API}/users/me", headers=bearer, json=sent)
        require(answer.status == _INVALID, f"{name}: {answer.status}")


@check("Objects of others are not found, in every verb", "8.2.2", "8.3.1")
async def others(target: Target) -> None:
    """By ids that nothing has: a service must not answer differently for what is there."""
    bearer = {"Authorization": f"Bearer {require_account(target).access_token}"}
    for method, path in (
        ("GET", "/orders/{}"),
        ("POST", "/orders/{}/cancel"),
        ("DELETE", "/auth/sessions/{}"),
        ("GET", "/webhooks/{}"),
        ("DELETE", "/webhooks/{}"),
    ):
        answer = await target.ask(method, f"{API}{path.format(uuid.uuid4())}", headers=bearer)
        require(answer.status == _NOT_FOUND, f"{method} {path}: {answer.status}")


@check("A sign-out ends the access token and the refresh token at once", "7.4.1")
async def signed_out(target: Target) -> None:
    """Of the session that these checks have opened."""
    account = require_account(target)
    bearer = {"Authorization": f"Bearer {account.access_token}"}
    ended = await target.ask("POST", f"{API}/auth/logout", headers=bearer)
    target.account = None
    require(ended.status == 204, f"sign-out: {ended.status}")  # noqa: PLR2004 - no content
    require((await target.me(account.access_token)).status == _UNAUTHORIZED, "the access token is still good")
    answer = await target.ask("POST", f"{API}/auth/refresh", json={"refresh_token": account.refresh_token})
    require(answer.status == _UNAUTHORIZED, "the refresh token is still good")


@check("Wrong passwords are limited, and no header of the client changes who counts", "6.3.1", "4.1.3")
async def limited(target: Target) -> None:
    """Last, because it uses up what this address may try."""
    name = unknown_name()
    addresses = [f"203.0.113.{number}" for number in range(_ATTEMPTS)]
    forged = [{"X-Forwarded-For": each, "X-Real-IP": each, "Forwarded": f"for={each}"} for each in addresses]
    if (answer := await _first_limited(target, name, forged)) is None:
        limited = await _first_limited(target, name, [{}] * _ATTEMPTS)
        require(limited, f"{_ATTEMPTS} wrong passwords for one account were all tried")
        if limited and limited.is_near:
            raise Skipped(_ELSEWHERE)
    require(answer, "headers of the client change who counts: TRUSTED_PROXIES has addresses that are no proxies")
    require(answer and answer.retry_after > 0, "429 without Retry-After")


async def _first_limited(target: Target, name: str, requests: list[dict[str, str]]) -> Answer | None:
    """The first sign-in with these headers that is refused for its number. Raises ``Skipped`` for other answers."""
    for headers in requests:
        answer = await target.sign_in(name, "not the password", headers=headers, waits=False)
        if answer.status == _RATE_LIMITED:
            return answer
        if answer.status != _UNAUTHORIZED:
            raise Skipped(f"sign-in answers {answer.status}")
    return None
