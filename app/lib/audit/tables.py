"""The tables of the audit log. The database itself refuses to change them, by triggers of migration 0001."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.addresses import MAX_LENGTH
from app.lib.audit.kinds import MAX_KIND_LENGTH
from app.lib.db.base import Base

MAX_USER_AGENT = 255
MAX_REQUEST_ID = 64


class _Recorded(Base):
    """Refers to users and sessions by id without foreign keys: the log outlives both.

    ``request_id`` is made here, ``client_request_id`` is what the client sent.
    """

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(MAX_KIND_LENGTH))
    actor_id: Mapped[UUID | None]
    subject_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(String(MAX_LENGTH))
    user_agent: Mapped[str | None] = mapped_column(String(MAX_USER_AGENT))
    request_id: Mapped[str | None] = mapped_column(String(MAX_REQUEST_ID))
    client_request_id: Mapped[str | None] = mapped_column(String(MAX_REQUEST_ID))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


class AuditInbox(_Recorded):
    """What transactions recorded, until the chain takes it within about a second. A row can be deleted only when it is
    in the chain.
    """

    __tablename__ = "audit_inbox"


class AuditEvent(_Recorded):
    """The chain. ``hash`` is over the event and the hash before it in its stream; ``seq`` counts from 1 without gaps. A
    row can be deleted only when its segment is dropped.
    """

    __tablename__ = "audit_events"

    stream: Mapped[str] = mapped_column(String(16))
    segment: Mapped[int] = mapped_column(Integer)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))

    __table_args__ = (
        UniqueConstraint("stream", "seq"),
        Index(None, "created_at", "id"),
        Index(None, "subject_id", "created_at", "id"),
        Index(None, "actor_id", "created_at", "id"),
        Index(None, "kind", "created_at", "id"),
        Index(None, "address", "created_at", "id"),
    )


class AuditSegment(Base):
    """The events of a stream that were chained in one day. It stays when its events are dropped, so that what comes
    after them can still be proved. The newest one grows; a sealed one can only be dropped.
    """

    __tablename__ = "audit_segments"

    stream: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    first_seq: Mapped[int] = mapped_column(BigInteger)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    last_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    sealed_at: Mapped[datetime | None]
    dropped_at: Mapped[datetime | None]
