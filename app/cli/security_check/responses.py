"""Headers, pages that must not be there, methods, paths and origins."""

import re

from app.cli.security_check.target import API, Answer, Check, Skipped, Target, checks, require

CHECKS: list[Check] = []
check = checks(CHECKS)

_FOREIGN = "https://evil.example"
_NOT_FOUND, _UNAUTHORIZED, _METHOD_NOT_ALLOWED, _SWITCHING, _SERVER_ERROR = 404, 401, 405, 101, 500
_TRACES = re.compile(
    rb"Traceback|File \"|site-packages|line \d+, in|sqlalchemy|asyncpg|litestar|SELECT .* FROM|/usr/|/home/",
    re.IGNORECASE,
)
_ERRORS = (
    ("GET", f"{API}/nowhere"),
    ("POST", f"{API}/auth/refresh"),
    ("GET", f"{API}/users/me"),
    ("GET", f"{API}/users/not-an-id"),
    ("DELETE", "/health"),
)


async def _any_error(target: Target) -> Answer:
    return await target.ask("GET", f"{API}/users/me")


@check("TLS is 1.2 or newer, and HSTS is sent", "12.1.1", "3.4.1")
async def tls(target: Target) -> None:
    if not target.is_https:
        raise Skipped("not https")
    answer = await _any_error(target)
    require(answer.tls in {None, "TLSv1.2", "TLSv1.3"}, f"{answer.tls}")
    found = re.search(r"max-age=(\d+)", answer.headers.get("strict-transport-security", ""))
    require(found and int(found[1]) >= 31_536_000, "no Strict-Transport-Security of a year")  # noqa: PLR2004 - seconds


@check("Answers cannot be framed, sniffed or scripted, and leak no referrer", "3.4.3", "3.4.4", "3.4.5", "3.4.6")
async def headers(target: Target) -> None:
    for method, path in (*_ERRORS, ("GET", "/health")):
        answer = await target.ask(method, path)
        where = f"{method} {path}"
        require(answer.headers.get("x-content-type-options") == "nosniff", f"{where}: no nosniff")
        policy = answer.headers.get("content-security-policy", "")
        require("default-src 'none'" in policy and "frame-ancestors 'none'" in policy, f"{where}: weak CSP: {policy!r}")
        require("referrer-policy" in answer.headers, f"{where}: no Referrer-Policy")


@check("No answer names software or a version", "13.4.6")
async def software(target: Target) -> None:
    answer = await _any_error(target)
    for name in ("server", "x-powered-by", "via"):
        found = answer.headers.get(name, "")
        require(not re.search(r"granian|uvicorn|hypercorn|litestar|python|\d+\.\d+", found, re.IGNORECASE), found)


@check("Errors show no trace, no statement and no path", "16.5.1")
async def errors(target: Target) -> None:
    for method, path in _ERRORS:
        answer = await target.ask(method, path)
        found = _TRACES.search(answer.body)
        require(not found, f"{method} {path}: {found[0].decode(errors='replace') if found else ''}")
        require(answer.status < _SERVER_ERROR, f"{method} {path}: {answer.status}")


@check("Answers about sign-in and the own account are never stored", "14.3.2")
async def caching(target: Target) -> None:
    """With an account, also those that have something in them."""
    answers = {path: await target.ask("POST", path) for path in (f"{API}/auth/login", f"{API}/auth/refresh")}
    answers[f"{API}/users/me"] = await target.ask("GET", f"{API}/users/me")
    if target.account is not None:
        answers["a sign-in"] = target.account.signed_in
        answers["the own account"] = await target.me(target.account.access_token)
    for what, answer in answers.items():
        require("no-store" in answer.headers.get("cache-control", ""), f"{what} may be stored")


@check("Pages of developers and sources are not there", "13.4.1", "13.4.2", "13.4.5")
async def development(target: Target) -> None:
    for path in ("/dev/mail", "/debug", "/.env", "/.git/HEAD", "/data/lodestar.db", "/console", "/admin", "/actuator"):
        answer = await target.ask("GET", path)
        require(answer.status == _NOT_FOUND, f"{path}: {answer.status}")
    metrics = await target.ask("GET", "/metrics")
    require(not 200 <= metrics.status < 300, "/metrics needs no token: set METRICS_TOKEN")  # noqa: PLR2004 - success


@check("Methods open nothing: HEAD, OPTIONS, TRACE, unknown ones and overrides", "4.1.4", "13.4.4")
async def methods(target: Target) -> None:
    path = f"{API}/users/me"
    head = await target.ask("HEAD", path)
    require(head.status == _UNAUTHORIZED, f"HEAD: {head.status}")
    options = await target.ask("OPTIONS", path)
    require(options.status < _SERVER_ERROR and not options.body, f"OPTIONS: {options.status} with a body")
    for method in ("TRACE", "CONNECTED", "PROPFIND"):
        answer = await target.ask(method, path)
        require(answer.status in {400, 401, 403, 404, 405, 501}, f"{method}: {answer.status}")
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = await target.ask("POST", path, headers={name: "GET"})
        require(answer.status in {_NOT_FOUND, _METHOD_NOT_ALLOWED, _UNAUTHORIZED}, f"{name}: {answer.status}")


@check("No other spelling of a path goes around the sign-in", "8.2.1", "8.3.1")
async def paths(target: Target) -> None:
    for path in (
        f"/{API}/users/me",
        f"{API}/users/me/",
        f"{API.upper()}/USERS/ME",
        f"{API}/./users/me",
        f"{API}/auth/../users/me",
        "/health/..;/api/v1/users/me",
        f"{API}/users/me%00",
        f"{API}/%75sers/me",
        f"{API}/users%2fme",
        f"{API}/users/me;admin=true",
        f"{API}/users/me?access_token=x&user=admin",
        f"{API}/users/me.json",
    ):
        answer = await target.ask("GET", path, headers={"X-Original-URL": "/health", "X-Rewrite-URL": "/health"})
        require(answer.status in {301, 307, 308, 400, 401, 404}, f"{path}: {answer.status}")


@check("Pages of other origins read nothing", "3.4.2")
async def cors(target: Target) -> None:
    for origin in (_FOREIGN, "null"):
        preflight = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        for method, sent in (("GET", {"Origin": origin}), ("OPTIONS", preflight)):
            answer = await target.ask(method, f"{API}/users/me", headers=sent)
            allowed = answer.headers.get("access-control-allow-origin")
            require(allowed is None, f"{method} from {origin}: allowed for {allowed}")


@check("Pages of other origins open no WebSocket", "4.4.2")
async def websocket(target: Target) -> None:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": _FOREIGN,
    }
    for path in (f"{API}/realtime", "/ws/security-check"):
        answer = await target.ask("GET", path, headers=handshake)
        require(answer.status != _SWITCHING, f"{path} was opened")
        require(answer.status != _UNAUTHORIZED, f"{path} looks at the credentials alone, not at the origin")
