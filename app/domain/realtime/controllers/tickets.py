from litestar import Response, post

from app.domain.realtime.dtos import TicketRead
from app.domain.realtime.services.tickets import issue_ticket
from app.lib.db.uow import UnitOfWork
from app.lib.http.injection import Injected
from app.lib.security.policies import authenticated
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO


@post(
    "/realtime/tickets",
    guards=[authenticated],
    return_dto=StructDTO[TicketRead],
    tags=["Realtime"],
    operation_id="createRealtimeTicket",
    summary="Get a ticket for a socket or event stream",
    description="For browsers, which cannot send `Authorization` there. It is good once, for 30 seconds.",
)
async def create_ticket(unit: Injected[UnitOfWork], principal: Injected[Principal]) -> Response[TicketRead]:
    ticket = await issue_ticket(principal, unit)
    headers = {"Location": "/api/v1/realtime", "Cache-Control": "no-store"}
    return Response(ticket, status_code=201, headers=headers)
