"""Signing in with a second factor."""

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import insert

from app.domain.auth.models import TotpFactor
from app.lib.clock import utc_now
from tests.domain.auth.steps import audited, sessions_of, sign_in
from tests.support.apps import core_of
from tests.support.people import People


@pytest.mark.asvs("6.3.3", "6.3.4")
async def test_the_password_alone_opens_no_session(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    async with core_of(app).database.independent() as unit:
        factor = {"user_id": person.id, "secret": b"sealed", "created_at": utc_now(), "confirmed_at": utc_now()}
        await unit.session.execute(insert(TotpFactor).values(**factor, last_step=0))

    response = await sign_in(client, person.email)

    assert (response.status_code, response.json()["code"]) == (403, "mfa_required")
    assert response.json()["error"] == "mfa_required"
    assert [row.id for row in await sessions_of(app, person.id)] == [person.session_id]
    assert await audited(app, "sign_in.ok") == []
