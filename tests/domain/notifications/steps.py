"""What tests of notifications do again and again."""

from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar
from sqlalchemy import Row, select

from app.lib.mail.delivery import Composer
from app.lib.mail.message import OutgoingMail
from app.lib.mail.models import Mail
from app.lib.mail.repository import MailReads
from tests.support.apps import core_of
from tests.support.links import newest
from tests.support.people import PASSWORD

REGISTER = "/api/v1/auth/register"
MINE = "/api/v1/users/me/notification-preferences"
UNSUBSCRIBE = "/api/v1/notifications/unsubscribe"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def register(client: httpx.AsyncClient, email: str = "ada@example.com", **members: Any) -> httpx.Response:
    return await client.post(REGISTER, json={"email": email, "password": PASSWORD, **members})


async def confirmed(app: Litestar, client: httpx.AsyncClient, email: str = "ada@example.com") -> UUID:
    """Registers, and confirms the address, which is when the first mail comes that is not essential."""
    user_id = UUID((await register(client, email)).json()["id"])
    link = await newest(app, "verify_email")
    assert (await client.post(link.path, data={"password": PASSWORD})).status_code == 200
    return user_id


async def mails(app: Litestar, kind: str | None = None) -> list[Row[Any]]:
    """The table's rows, in order."""
    statement = select(Mail.__table__).order_by(Mail.id)
    if kind is not None:
        statement = statement.where(Mail.kind == kind)
    async with core_of(app).database.independent() as unit:
        return list(await unit.session.execute(statement))


async def composed(app: Litestar, kind: str | None = None) -> list[OutgoingMail]:
    """The mails as they would be sent."""
    core = core_of(app)
    reads = core.services.build(MailReads)
    rows = [await reads.mail(row.id) for row in await mails(app, kind)]
    return [core.services.get(Composer).compose(row) for row in rows if row is not None]
