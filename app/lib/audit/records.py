"""Recording: who did what to whom, from where, in which session, when."""

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from sqlalchemy import insert

from app.lib.addresses import canonical_address
from app.lib.audit.kinds import KINDS
from app.lib.audit.tables import MAX_USER_AGENT, AuditInbox
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.prepared import prepare
from app.lib.db.uow import UnitOfWork
from app.lib.observability.counters import ProcessCounter
from app.lib.security.policies import find_principal
from app.lib.security.principal import Principal

_RECORDED = ProcessCounter("audit_events", "What the audit log has recorded; of sign-ins also the way.", "kind", "way")

_insert = prepare(insert(AuditInbox))


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request came from, as far as it can be trusted: see ``TRUSTED_PROXIES``."""

    actor_id: UUID | None = None
    session_id: UUID | None = None
    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    client_request_id: str | None = None
    acting: dict[str, str] = {}
    """For the details of each event: that a program acts (``api_key_id``), or support as a user (``acts_as``)."""


SYSTEM = Origin()
"""The command line, and work that no request asked for."""


async def provide_origin(request: Request[Any, Any, Any]) -> Origin:
    """The origin of a request. What is not an IP address (a Unix socket, nonsense from a proxy) is no address."""
    principal = find_principal(request)
    agent = request.headers.get("user-agent", "")
    state = request.scope["state"]
    return Origin(
        **(_who(principal) if principal else {}),
        address=canonical_address(request.client.host) if request.client else None,
        user_agent="".join(c for c in agent if c.isprintable())[:MAX_USER_AGENT] or None,
        request_id=state.get("own_request_id", state.get("request_id")),
        client_request_id=state["request_id"] if "own_request_id" in state else None,
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
    """Records an event in the unit's transaction; the chain takes it after the commit.

    ``details`` must hold no secret, and nothing personal but ids: it stays when the user is gone. Raises
    ``LookupError`` for a kind that no ``audit.py`` of a domain declares.
    """
    if kind not in KINDS:
        raise LookupError(f"audit kind {kind!r} is not declared: add it to the audit.py of its domain")
    from_where = msgspec.structs.asdict(origin)
    details = from_where.pop("acting") | details
    values = {"id": new_id(), "created_at": utc_now(), "kind": kind, "subject_id": subject_id, "details": details}
    await unit.insert(_insert, values | from_where)
    unit.after_commit(partial(_RECORDED.add, kind, details.get("way", "")))
