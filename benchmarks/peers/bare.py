"""The limit of the language: an ASGI function on granian, asyncpg and msgspec, and nothing between them.

No framework, no validation beyond what an answer needs, no limits, logs or metrics. Tokens are verified once and
remembered, connections are not reset when they return to the pool. ``POST`` sends the statements that the service was
seen to send for the same request, in one transaction, with new ids: what such a write costs at the least.
"""

import base64
import os
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import asyncpg
import jwt
import msgspec
from uuid_utils import uuid7

from benchmarks.peers.structs import Money, Page, PostRead, PostSummary, ProductRead, UserRead

Answer = tuple[int, bytes, bytes]
"""Status, body and ETag."""
NOT_FOUND: Answer = (404, b'{"detail":"Not found"}', b"")


class Recorded(msgspec.Struct):
    """One write of the service: its statements with their parameters, its answer, and what is new in each run."""

    statements: list[tuple[str, list[Any]]]
    answer: str
    fresh: list[str]


class Connection(asyncpg.Connection):  # type: ignore[misc]  # ships no types
    """Leaves nothing behind that had to be reset."""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        pass


encode = msgspec.json.Encoder().encode
decode = msgspec.json.decode
USER = """
SELECT id, email, username, name, locale, is_active, is_verified, is_superuser, is_service,
    ARRAY(SELECT roles.name FROM roles JOIN user_roles ON role_id = roles.id WHERE user_id = users.id) AS roles,
    metadata, created_at, updated_at, version
FROM users WHERE deleted_at IS NULL"""
POST = """
SELECT id, author_id, title, slug, excerpt, tags, published_at IS NOT NULL, published_at, created_at, updated_at,
    version
"""
PRODUCT = """
SELECT id, sku, name, description, price_units, currency, stock, is_active,
    ARRAY(SELECT tag FROM product_tags WHERE product_id = products.id ORDER BY tag), created_at, updated_at, version
FROM products WHERE is_active"""
COUNTED = {
    "users": "SELECT count(*) FROM (SELECT 1 FROM users WHERE deleted_at IS NULL LIMIT 10001) AS counted",
    "posts": "SELECT count(*) FROM (SELECT 1 FROM posts WHERE public_from <= now() LIMIT 10001) AS counted",
    "products": "SELECT count(*) FROM (SELECT 1 FROM products WHERE is_active LIMIT 10001) AS counted",
}


def to_user(row: Any) -> UserRead:
    *others, metadata, created_at, updated_at, version = row
    return UserRead(*others, msgspec.Raw(metadata.encode()), created_at, updated_at, version)


def to_summary(row: Any) -> PostSummary:
    id_, author, title, slug, excerpt, tags, *others = row
    return PostSummary(id_, author, title, slug, excerpt, msgspec.Raw(tags.encode()), *others)


def to_product(row: Any) -> ProductRead:
    id_, sku, name, description, units, currency, *others = row
    return ProductRead(id_, sku, name, description, Money(f"{units // 100}.{units % 100:02}", currency), *others)


LISTS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "users": (USER, "created_at", to_user),
    "posts": (POST + "FROM posts WHERE public_from <= now()", "public_from", to_summary),
    "products": (PRODUCT, "created_at", to_product),
}


class App:
    def __init__(self) -> None:
        self.pool: Any = None
        self.known: dict[bytes, UUID] = {}
        self.writes: dict[str, Recorded] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        status, body, tag = await self.answer(scope, receive)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if tag:
            headers.append((b"etag", tag))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def live(self, receive: Any, send: Any) -> None:
        await receive()
        # Where it is, libpq's variables say.
        self.pool = await asyncpg.create_pool(min_size=10, max_size=10, connection_class=Connection)
        if recorded := os.environ.get("RECORDED_WRITES"):
            self.writes = msgspec.msgpack.decode(Path(recorded).read_bytes(), type=dict[str, Recorded])  # noqa: ASYNC240 - once, at the start
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def answer(self, scope: dict[str, Any], receive: Any) -> Answer:
        headers = dict(scope["headers"])
        if scope["path"] == "/health":
            return 200, b'{"status":"ok"}', b""
        name, _, key = scope["path"].removeprefix("/api/v1/").partition("/")
        user = self.user(headers.get(b"authorization", b""))
        if user is None and (name == "users" or scope["method"] == "POST"):
            return 401, b'{"detail":"Not authenticated"}', b""
        if scope["method"] == "POST" and name in self.writes:
            return await self.write(name, await body_of(receive))
        if name in LISTS and not key:
            return await self.list(name, parse_qs(scope["query_string"].decode()))
        if name == "users":
            return await self.one_user(str(user) if key == "me" else key)
        return await self.one_post(key, headers.get(b"if-none-match")) if name == "posts" else NOT_FOUND

    def user(self, authorization: bytes) -> UUID | None:
        """Who a token belongs to, which is verified the first time."""
        if authorization and authorization not in self.known:
            token = authorization.decode().removeprefix("Bearer ")
            claims = jwt.decode(token, os.environ["SECRET_KEY"], algorithms=["HS256"], audience="lodestar")
            self.known[authorization] = UUID(claims["sub"])
        return self.known.get(authorization)

    async def one_user(self, user_id: str) -> Answer:
        row = await self.pool.fetchrow(f"{USER} AND id = $1", user_id)
        return (200, encode(to_user(row)), b"") if row else NOT_FOUND

    async def one_post(self, slug: str, known: bytes | None) -> Answer:
        row = await self.pool.fetchrow(POST + ", content FROM posts WHERE slug = $1 AND public_from <= now()", slug)
        if row is None:
            return NOT_FOUND
        id_, author, title, _, excerpt, tags, *others = row
        tag = b'"%d"' % row["version"]
        if known == tag:
            return 304, b"", tag
        post = PostRead(id_, author, title, slug, excerpt, msgspec.Raw(tags.encode()), *others)
        return 200, encode(post), tag

    async def list(self, name: str, query: dict[str, list[str]]) -> Answer:
        statement, key, to_item = LISTS[name]
        page, size = int(query.get("page", ["1"])[0]), int(query.get("page_size", ["20"])[0])
        counted = query.get("include_total", ["true"]) == ["true"]
        order = f"ORDER BY {key} DESC, id DESC LIMIT $1"
        if cursor := query.get("cursor"):
            at, last_id = decode(base64.urlsafe_b64decode(cursor[0] + "=="), type=tuple[datetime, UUID])
            rows = await self.pool.fetch(f"{statement} AND ({key}, id) < ($2, $3) {order}", size + 1, at, last_id)
        else:
            rows = await self.pool.fetch(f"{statement} {order} OFFSET $2", size + 1, (page - 1) * size)
        items = [to_item(row) for row in rows[:size]]
        total = await self.pool.fetchval(COUNTED[name]) if counted and not cursor else None
        known = None if total is None else min(total, 10_000)
        following = None
        if len(rows) > size:  # a post's published_at is its public_from
            last = getattr(items[-1], "published_at", None) or items[-1].created_at
            following = base64.urlsafe_b64encode(encode([last, items[-1].id])).rstrip(b"=").decode()
        pages = None if known is None else -(-known // size)
        found = Page(items, known, None if cursor else page, size, pages, known != total, following)
        return 200, encode(found), b""

    async def write(self, name: str, body: dict[str, Any]) -> Answer:
        recorded = self.writes[name]
        swaps = {old: str(uuid7()) if "-" in old else secrets.token_hex(32) for old in recorded.fresh}
        if name == "orders":
            number = UUID(body["items"][0]["product_id"]).int
            swaps |= {str(UUID(int=1)): str(UUID(int=number)), "SKU-1": f"SKU-{number}"}
        async with self.pool.acquire() as connection, connection.transaction():
            for sql, parameters in recorded.statements:
                await connection.fetch(sql, *[swaps.get(p, p) if isinstance(p, str) else p for p in parameters])
        answer = re.sub(r"[0-9a-f-]{36}|SKU-\d+", lambda found: swaps.get(found[0], found[0]), recorded.answer)
        return 201, answer.encode(), b""


async def body_of(receive: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body: dict[str, Any] = decode(b"".join(parts))
    return body


app = App()
