"""Idempotency keys, kept in the transaction of the write that they make safe to repeat.

A key's row is inserted before the work and gets the response after it, and all three are committed together: a
crash anywhere undoes all of it, and the retry runs afresh. There is no lease to expire and nothing to sweep but
old rows. Follows draft-ietf-httpapi-idempotency-key-header and Stripe's practice.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Index, Integer, LargeBinary, String, bindparam, delete, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.clock import utc_now
from app.lib.db.base import Base, table_of
from app.lib.db.faults import DatabaseUnavailable, is_lock_timeout
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import delete_batch, insert_or_update
from app.lib.db.uow import UnitOfWork
from app.lib.errors import AppError, Conflict, ErrorCode, FieldCode, FieldError, ValidationFailed

RETENTION = timedelta(hours=24)
MAX_KEY_LENGTH = 255


_IS_LOCATED = text("location IS NOT NULL")


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[bytes | None] = mapped_column(LargeBinary)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    location: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "created_at"),
        Index("ix_idempotency_keys_location", "location", postgresql_where=_IS_LOCATED, sqlite_where=_IS_LOCATED),
    )


class IdempotencyKeyReused(AppError):
    """The key has been used with another body."""

    status: ClassVar[int] = 422
    code = ErrorCode(
        "idempotency_key_reused",
        "The idempotency key was used before",
        "Use a new key for a new request; repeat an old one unchanged.",
    )
    detail = "This idempotency key was used for a request with another body."


class IdempotencyInProgress(Conflict):
    code = ErrorCode(
        "idempotency_in_progress",
        "The first request is still running",
        "Repeat the request after 'Retry-After' seconds.",
    )
    detail = "The first request with this idempotency key is still running."
    own_headers: ClassVar = {"Retry-After": "1"}


class StoredResponse(msgspec.Struct, frozen=True):
    """A response as it went out: status, raw headers and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _Kept(msgspec.Struct, frozen=True):
    fingerprint: bytes
    status: int | None
    headers: bytes | None
    body: bytes | None
    created_at: datetime


class IdempotentReplay(Exception):
    """Raised instead of running a handler whose work was done before."""

    def __init__(self, response: StoredResponse) -> None:
        super().__init__()
        self.response = response


_keys = table_of(IdempotencyKey)
_take = prepare(
    insert_or_update(_keys)
    .values({each: bindparam(each) for each in ("digest", "fingerprint", "created_at")})
    .on_conflict_do_nothing()
)
_find = prepare(select(*columns_of(_Kept, _keys.c)).where(_keys.c.digest == bindparam("key")), _Kept)
_drop = prepare(delete(_keys).where(_keys.c.digest == bindparam("key"), _keys.c.created_at == bindparam("taken_at")))
_keep = prepare(
    update(_keys)
    .where(_keys.c.digest == bindparam("key"))
    .values({each: bindparam(each) for each in ("status", "headers", "body", "location")})
)
_is_at = _keys.c.location == bindparam("place")
_headers = prepare(select(_keys.c.headers).where(_is_at), bytes)
_replace = prepare(update(_keys).where(_is_at).values(headers=bindparam("kept"), body=bindparam("content")))
_forget = prepare(delete(_keys).where(_is_at))
_purge = prepare(delete_batch(_keys, _keys.c.created_at < bindparam("before")))


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a key: ``digest`` says whose key for what, ``fingerprint`` stands for the body."""

    digest: bytes
    fingerprint: bytes

    @classmethod
    def make_all(cls, secrets: Sequence[bytes], **request: Any) -> "list[Claim]":
        """One for each secret, the current and those before it, so that a key is good once also while they change. In
        one order everywhere, so that no two requests wait for each other.
        """
        return sorted((cls.make(secret, **request) for secret in secrets), key=lambda each: each.digest)

    @classmethod
    def make(cls, secret: bytes, *, caller: str, method: str, path: str, key: str, body: bytes) -> "Claim":
        """Neither the key nor the body is kept, only their HMACs. Raises ``ValidationFailed`` for a bad key."""
        if not 1 <= len(key) <= MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
            detail = f"Must have 1 to {MAX_KEY_LENGTH} printable characters."
            raise ValidationFailed([FieldError(header="Idempotency-Key", code=FieldCode.INVALID_FORMAT, detail=detail)])
        scope = f"scope\0{caller}\0{method}\0{path}\0{key}".encode()
        return cls(digest=hmac.digest(secret, scope, sha256), fingerprint=hmac.digest(secret, b"body\0" + body, sha256))

    async def take(self, unit: UnitOfWork) -> None:
        """Takes the key for this transaction, see :func:`take_all`."""
        row = {"digest": self.digest, "fingerprint": self.fingerprint, "created_at": utc_now()}
        try:
            if await unit.execute(_take, **row):
                return
            kept = await unit.first(_find, key=self.digest)
            if kept is not None and kept.created_at < utc_now() - RETENTION:  # too old to count: taken over
                await unit.execute(_drop, key=self.digest, taken_at=kept.created_at)
                if await unit.execute(_take, **row):
                    return
                kept = None
        except SQLAlchemyError as exc:
            if is_lock_timeout(exc):
                raise IdempotencyInProgress from exc
            raise
        if kept is None:
            raise IdempotencyInProgress
        if not hmac.compare_digest(kept.fingerprint, self.fingerprint):
            raise IdempotencyKeyReused
        if kept.status is None or kept.headers is None or kept.body is None:
            raise IdempotencyInProgress
        headers = msgspec.msgpack.decode(kept.headers, type=list[tuple[bytes, bytes]])
        raise IdempotentReplay(StoredResponse(kept.status, headers, kept.body))

    async def keep(self, unit: UnitOfWork, response: StoredResponse, location: str | None = None) -> None:
        """Writes the response into the transaction of the work, to be committed with it. By its ``location``
        :func:`replace_body` and :func:`forget_response` find it.
        """
        values = msgspec.structs.asdict(response) | {"headers": msgspec.msgpack.encode(response.headers)}
        await unit.execute(_keep, key=self.digest, location=location, **values)


async def take_all(unit: UnitOfWork, claims: Sequence[Claim]) -> None:
    """Takes the keys for this transaction, after waiting for another one that holds them.

    Raises :class:`IdempotentReplay` with the stored response, :class:`IdempotencyKeyReused`, or
    :class:`IdempotencyInProgress` when the wait exceeds the lock timeout.
    """
    try:
        await unit.wait_turn(*(claim.digest for claim in claims))
    except DatabaseUnavailable as exc:
        raise IdempotencyInProgress from exc
    for claim in claims:
        await claim.take(unit)


async def replace_body(unit: UnitOfWork, location: str, body: bytes) -> None:
    """Replaces what is replayed of the creation of a resource, when no one may read any more what it was. The replay
    then has no ETag, because that was the tag of what it was.
    """
    for stored in await unit.all(_headers, place=location):
        headers = msgspec.msgpack.decode(stored, type=list[tuple[bytes, bytes]])
        kept = msgspec.msgpack.encode([(name, value) for name, value in headers if name != b"etag"])
        await unit.execute(_replace, place=location, kept=kept, content=body)


async def forget_response(unit: UnitOfWork, location: str) -> None:
    """Replays the creation of a resource no more, when its creator may not read what it is now: a repetition runs
    again, and is refused.
    """
    await unit.execute(_forget, place=location)


async def purge_idempotency_keys(unit: UnitOfWork) -> int:
    """Deletes a batch of keys that are older than 24 hours. Returns their number."""
    return await unit.execute(_purge, before=utc_now() - RETENTION)
