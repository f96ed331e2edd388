"""The audit log: append only; who did what to whom, from where, in which session, when."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from sqlalchemy import JSON, Index, String, bindparam, insert
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.addresses import MAX_LENGTH, parse_address
from app.lib.clock import utc_now
from app.lib.db.base import Base, new_id, table_of
from app.lib.db.prepared import prepare
from app.lib.db.statements import delete_batch, is_one_of, json_list
from app.lib.db.uow import UnitOfWork
from app.lib.security.policies import find_principal
from app.lib.security.principal import Principal

MAX_USER_AGENT = 255


class AuditEvent(Base):
    """Refers to users and sessions by id without foreign keys: the log outlives both."""

    __tablename__ = "audit_events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(64))
    actor_id: Mapped[UUID | None]
    subject_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(String(MAX_LENGTH))
    user_agent: Mapped[str | None] = mapped_column(String(MAX_USER_AGENT))
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index(None, "subject_id", "id"), Index(None, "actor_id", "id"), Index(None, "kind", "created_at"))


_insert = prepare(insert(AuditEvent))
_events = table_of(AuditEvent)
_purge = prepare(delete_batch(_events, is_one_of(_events.c.kind, "kinds"), _events.c.created_at < bindparam("before")))


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request came from, as far as it can be trusted: see ``TRUSTED_PROXIES``."""

    actor_id: UUID | None = None
    session_id: UUID | None = None
    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    acting: dict[str, str] = {}
    """For the details of each event: that a program acts (``api_key_id``), or support as a user (``acts_as``)."""


SYSTEM = Origin()
"""The command line, and work that no request asked for."""


async def provide_origin(request: Request[Any, Any, Any]) -> Origin:
    """The origin of a request. What is not an IP address (a Unix socket, nonsense from a proxy) is no address."""
    principal = find_principal(request)
    agent = request.headers.get("user-agent", "")
    address = parse_address(request.client.host if request.client else None)
    return Origin(
        **(_who(principal) if principal else {}),
        address=str(address) if address else None,
        user_agent="".join(c for c in agent if c.isprintable())[:MAX_USER_AGENT] or None,
        request_id=request.scope["state"].get("request_id"),
    )


def _who(principal: Principal) -> dict[str, Any]:
    """The person who really acts, by which session or API key."""
    user_id, session_id = principal.user_id, principal.session_id
    if principal.means == "api_key":
        return {"actor_id": user_id, "acting": {"api_key_id": str(session_id)}}
    if principal.means == "impersonation":
        return {"actor_id": principal.impersonator_id, "session_id": session_id, "acting": {"acts_as": str(user_id)}}
    return {"actor_id": user_id, "session_id": session_id}


async def record(
    unit: UnitOfWork, kind: str, origin: Origin, *, subject_id: UUID | None = None, **details: Any
) -> None:
    """Appends an event in the unit's transaction. ``details`` must hold no secret."""
    from_where = msgspec.structs.asdict(origin)
    details = from_where.pop("acting") | details
    values = {"id": new_id(), "created_at": utc_now(), "kind": kind, "subject_id": subject_id, "details": details}
    await unit.insert(_insert, values | from_where)


async def purge(unit: UnitOfWork, kinds: Iterable[str], before: datetime) -> int:
    """Deletes events of these kinds that are older, a batch of them, and returns how many. All others stay for good."""
    return await unit.execute(_purge, kinds=json_list(kinds), before=before)
