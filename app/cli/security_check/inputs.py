"""Input that servers stumble over. None of it is accepted, so nothing is written."""

from app.cli.security_check.target import API, Broken, Check, Skipped, Target, checks, require

CHECKS: list[Check] = []
check = checks(CHECKS)

_REFRESH = f"{API}/auth/refresh"
_DEEP = 50_000
_BODIES: dict[str, bytes] = {
    "no JSON": b"{",
    "nested without end": b'{"refresh_token":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
    "invalid UTF-8": b'{"refresh_token":"\xff\xfe"}',
    "a NUL": b'{"refresh_token":"a\\u0000b"}',
    "half a surrogate pair": b'{"refresh_token":"\\ud800"}',
    "UTF-16": '{"refresh_token":"x"}'.encode("utf-16"),
    "a number of 10 000 digits": b'{"refresh_token":' + b"9" * 10_000 + b"}",
    "NaN": b'{"refresh_token":NaN}',
    "a list": b"[1]",
}
_LISTS = (f"{API}/products", f"{API}/posts")
_QUERIES = (
    "page=99999999999999999999999999",
    "page_size=100000000",
    "page=-1",
    "page=%00",
    "sort=password_hash",
    "sort=%27%3B--",
    "cursor=bm90IG91cnM",
    "q=%ff%fe",
    "is_superuser=true",
)
_SERVER_ERROR = 500


def _refused(status: int) -> bool:
    return 400 <= status < _SERVER_ERROR  # noqa: PLR2004 - the class of client errors


@check("Hostile bodies are refused, and never an internal error", "2.2.1", "16.5.1")
async def bodies(target: Target) -> None:
    for name, content in _BODIES.items():
        answer = await target.ask("POST", _REFRESH, content=content, headers={"Content-Type": "application/json"})
        require(_refused(answer.status), f"{name}: {answer.status}")


@check("A body of another type, and one that is too large, is refused", "4.1.1", "4.2.1")
async def types(target: Target) -> None:
    answer = await target.ask(
        "POST", _REFRESH, content=b'{"refresh_token":"x"}', headers={"Content-Type": "text/plain"}
    )
    require(answer.status == 415, f"text/plain: {answer.status}")  # noqa: PLR2004 - unsupported media type
    large = b'{"refresh_token":"%s"}' % (b"x" * 60_000)
    answer = await target.ask("POST", _REFRESH, content=large, headers={"Content-Type": "application/json"})
    require(answer.status in {413, 422}, f"60 kB for a token: {answer.status}")


@check("Members that are not declared are refused", "15.3.3")
async def members(target: Target) -> None:
    body = {"refresh_token": "x", "is_superuser": True, "__proto__": {"a": 1}}
    answer = await target.ask("POST", _REFRESH, json=body)
    require(answer.status == 422, f"{answer.status}")  # noqa: PLR2004 - invalid fields


@check("Huge pages, unknown sort keys, filters and forged cursors are refused", "2.2.1", "15.3.3")
async def queries(target: Target) -> None:
    lists = [path for path in _LISTS if (await target.ask("GET", path)).status == 200]  # noqa: PLR2004 - it is there
    if not lists:
        raise Skipped("no public list")
    for path in lists:
        for query in _QUERIES:
            answer = await target.ask("GET", f"{path}?{query}")
            if query.startswith("q=") and answer.status < _SERVER_ERROR:
                continue
            require(_refused(answer.status), f"{path}?{query}: {answer.status}")


@check("Headers that are too long or not text are no internal error", "4.2.5", "16.5.1")
async def long_headers(target: Target) -> None:
    for name, value in (("Authorization", "Bearer " + "x" * 20_000), ("X-Request-ID", "x" * 5_000), ("Accept", "\xff")):
        answer = await target.ask("GET", f"{API}/users/me", headers={name: value.encode("latin-1")})
        require(answer.status < _SERVER_ERROR, f"{name}: {answer.status}")
    reflected = await target.ask("GET", "/health", headers={"X-Request-ID": "<script>alert(1)</script>"})
    if "<script>" in reflected.headers.get("x-request-id", ""):
        raise Broken("X-Request-ID comes back as it was sent")
