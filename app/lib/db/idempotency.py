"""Idempotency keys, kept in the transaction of the write that they make safe to repeat.

A key's row is inserted before the work and gets the response after it, and all three are committed together: a
crash anywhere undoes all of it, and the retry runs afresh. There is no lease to expire and nothing to sweep but
old rows. Follows draft-ietf-httpapi-idempotency-key-header and Stripe's practice.
"""

import hmac
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

import msgspec
from sqlalchemy import Index, Integer, LargeBinary, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.clock import utc_now
from app.lib.db.base import Base
from app.lib.db.faults import is_lock_timeout
from app.lib.db.statements import insert_or_ignore
from app.lib.errors import AppError, Conflict, ErrorCode, FieldCode, FieldError, ValidationFailed

RETENTION = timedelta(hours=24)
MAX_KEY_LENGTH = 255


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[bytes | None] = mapped_column(LargeBinary)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "created_at"),)


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

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class StoredResponse(msgspec.Struct, frozen=True):
    """A response as it went out: status, raw headers and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class IdempotentReplay(Exception):
    """Raised instead of running a handler whose work was done before."""

    def __init__(self, response: StoredResponse) -> None:
        super().__init__()
        self.response = response


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a key: ``digest`` says whose key for what, ``fingerprint`` stands for the body."""

    digest: bytes
    fingerprint: bytes

    @classmethod
    def make(cls, secret: bytes, *, caller: str, method: str, path: str, key: str, body: bytes) -> "Claim":
        """Neither the key nor the body is kept, only their HMACs. Raises ``ValidationFailed`` for a bad key."""
        if not 1 <= len(key) <= MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
            raise ValidationFailed(
                [
                    FieldError(
                        header="Idempotency-Key",
                        code=FieldCode.INVALID_FORMAT,
                        detail=f"Must have 1 to {MAX_KEY_LENGTH} printable characters.",
                    )
                ]
            )
        scope = f"scope\0{caller}\0{method}\0{path}\0{key}".encode()
        return cls(digest=hmac.digest(secret, scope, sha256), fingerprint=hmac.digest(secret, b"body\0" + body, sha256))

    async def take(self, session: AsyncSession) -> None:
        """Takes the key for this transaction, after waiting for whoever holds it.

        Raises :class:`IdempotentReplay` with the stored response, :class:`IdempotencyKeyReused`, or
        :class:`IdempotencyInProgress` when the wait exceeds the lock timeout.
        """
        try:
            if await self._insert(session):
                return
            stored = await self._existing(session)
        except SQLAlchemyError as exc:
            if is_lock_timeout(exc):
                raise IdempotencyInProgress from exc
            raise
        if stored is None:
            return
        raise IdempotentReplay(stored)

    async def _insert(self, session: AsyncSession) -> bool:
        row = {"digest": self.digest, "fingerprint": self.fingerprint, "created_at": utc_now()}
        return await insert_or_ignore(session, IdempotencyKey, row)

    async def _existing(self, session: AsyncSession) -> StoredResponse | None:
        """The stored response; None when the row had outlived its time and was taken over."""
        key = IdempotencyKey
        row = (
            await session.execute(
                select(key.fingerprint, key.status, key.headers, key.body, key.created_at).where(
                    key.digest == self.digest
                )
            )
        ).first()
        if row is None:
            raise IdempotencyInProgress
        if row.created_at < utc_now() - RETENTION:
            await session.execute(delete(key).where(key.digest == self.digest, key.created_at == row.created_at))
            if await self._insert(session):
                return None
            raise IdempotencyInProgress
        if not hmac.compare_digest(row.fingerprint, self.fingerprint):
            raise IdempotencyKeyReused
        if row.status is None:
            raise IdempotencyInProgress
        headers = msgspec.msgpack.decode(row.headers, type=list[tuple[bytes, bytes]])
        return StoredResponse(row.status, headers, row.body)

    async def keep(self, session: AsyncSession, response: StoredResponse) -> None:
        """Writes the response beside the work, to be committed with it."""
        await session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.digest == self.digest)
            .values(status=response.status, headers=msgspec.msgpack.encode(response.headers), body=response.body)
        )


async def purge_idempotency_keys(session: AsyncSession) -> None:
    """Removes keys that are older than 24 hours."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < utc_now() - RETENTION))
