"""Forged tokens, and good ones where they do not belong."""

import hashlib
import hmac
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec

from app.cli.security_check.target import API, Answer, Check, Target, checks, require, require_account
from app.lib.wire import base64url

CHECKS: list[Check] = []
check = checks(CHECKS)

_UNAUTHORIZED = 401
_CLAIMS = {"aud": "lodestar", "type": "access", "jti": "x", "sub": str(uuid.uuid4()), "sid": str(uuid.uuid4())}


def _encode(header: dict[str, Any], claims: dict[str, Any], key: bytes | None = b"") -> str:
    """An HS256 token, or one without a signature."""
    signed = ".".join(base64url.encode(msgspec.json.encode(part)) for part in (header, claims))
    return f"{signed}.{base64url.encode(hmac.digest(key, signed.encode(), hashlib.sha256)) if key is not None else ''}"


def _decode(token: str, part: int) -> dict[str, Any]:
    return msgspec.json.decode(base64url.decode(token.split(".")[part]), type=dict[str, Any])


def _forged(target: Target) -> Iterator[tuple[str, str]]:
    """Tokens that nothing but the key of the service could make good, with what is tried."""
    now = int(time.time())
    claims: dict[str, Any] = {**_CLAIMS, "iss": "x", "iat": now, "exp": now + 600}
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "x"}
    if target.account is not None:
        token = target.account.access_token
        header, claims = _decode(token, 0), _decode(token, 1)
        body = token.rpartition(".")[0]
        yield "a good token without its signature", f"{body}."
        yield "a good token with another signature", f"{body}.{base64url.encode(b'x' * 32)}"
        yield (
            "a good signature for another user",
            f"{_encode(header, {**claims, 'sub': str(uuid.uuid4())}, None)}" + (token.rpartition(".")[2]),
        )
    for name in ("none", "None", "NONE", "nOnE", ""):
        yield f"alg {name!r}", _encode({**header, "alg": name}, claims, None)
    yield "an empty key", _encode({**header, "alg": "HS256"}, claims)
    yield "a well-known key", _encode({**header, "alg": "HS256"}, claims, b"secret")
    yield "kid as a path", _encode({**header, "alg": "HS256", "kid": "../../../../dev/null"}, claims)
    yield "kid as SQL", _encode({**header, "alg": "HS256", "kid": "x' UNION SELECT 'a"}, claims, b"a")
    yield "jku", _encode({**header, "jku": "https://evil.example/jwks.json"}, claims)
    yield "x5u", _encode({**header, "x5u": "https://evil.example/x.pem"}, claims)
    yield "jwk", _encode({**header, "jwk": {"kty": "oct", "k": ""}}, claims)
    yield "crit", _encode({**header, "crit": ["exp"]}, claims)
    yield "another aud", _encode(header, {**claims, "aud": "another"})
    yield "another typ", _encode({**header, "typ": "JWT"}, claims)
    yield "an expired one", _encode(header, {**claims, "exp": now - 3600})
    yield "nonsense", "a.b.c"
    yield "a long one", "x." * 3_000


def _is_refused(answer: Answer, what: str) -> None:
    require(answer.status == _UNAUTHORIZED, f"{what}: {answer.status}")


@check("Forged tokens are refused: alg, kid, jku, jwk, crit, aud, typ", "9.1.1", "9.1.2", "9.1.3", "9.2.2", "9.2.3")
async def forged(target: Target) -> None:
    for what, token in _forged(target):
        answer = await target.me(token)
        _is_refused(answer, what)
        require("invalid_token" in answer.headers.get("www-authenticate", ""), f"{what}: no challenge invalid_token")


@check("No credentials give a challenge, and a bad token is not anonymous", "8.3.1")
async def challenges(target: Target) -> None:
    answer = await target.ask("GET", f"{API}/users/me")
    _is_refused(answer, "no credentials")
    require(answer.headers.get("www-authenticate", "").startswith("Bearer"), "no challenge")
    for path in (f"{API}/posts", f"{API}/products"):
        answer = await target.ask("GET", path, headers={"Authorization": "Bearer a.b.c"})
        require(answer.status in {_UNAUTHORIZED, 404}, f"{path} with a bad token: {answer.status}")


@check("Published keys have no private part", "11.6.1")
async def published_keys(target: Target) -> None:
    keys = (await target.ask("GET", "/.well-known/jwks.json")).json().get("keys", [])
    require(not any({"d", "p", "q", "k"} & set(key) for key in keys), "a private key is published")


@check("A token counts in the Authorization header alone, as Bearer alone", "7.2.1", "14.2.1")
async def elsewhere(target: Target) -> None:
    token = require_account(target).access_token
    path = f"{API}/users/me"
    basic = b64encode(f"x:{token}".encode()).decode()
    tries: dict[str, Answer] = {
        "as Basic": await target.ask("GET", path, headers={"Authorization": f"Basic {basic}"}),
        "as Basic, unencoded": await target.ask("GET", path, headers={"Authorization": f"Basic {token}"}),
        "as Token": await target.ask("GET", path, headers={"Authorization": f"Token {token}"}),
        "in a cookie": await target.ask("GET", path, headers={"Cookie": f"access_token={token}; token={token}"}),
        "in X-Access-Token": await target.ask("GET", path, headers={"X-Access-Token": token}),
    }
    for what, answer in tries.items():
        _is_refused(answer, what)
    query = await target.ask("GET", f"{path}?access_token={token}&token={token}")
    require(query.status in {400, _UNAUTHORIZED}, f"in the query: {query.status}")


@check("Each kind of token is good for its own purpose alone", "9.2.2")
async def kinds(target: Target) -> None:
    account = require_account(target)
    _is_refused(await target.me(account.refresh_token), "a refresh token as a bearer token")
    answer = await target.ask("POST", f"{API}/auth/refresh", json={"refresh_token": account.access_token})
    _is_refused(answer, "an access token as a refresh token")
