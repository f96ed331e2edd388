"""Webhooks without a worker: fanned out, and attempted by hand."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar

import app.asgi
from app.domain.webhooks.events import WebhookDisabled
from app.domain.webhooks.listeners import fan_out
from app.domain.webhooks.models import WebhookDelivery
from app.domain.webhooks.services.deliver import Deliverer
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.events import EventEnvelope, Events, in_transaction
from app.lib.jobs import JobContext
from app.lib.webhooks.kinds import kinds_by_name
from app.lib.webhooks.sender import WebhookSender
from tests.domain.accounts.answers import rows
from tests.support.apps import core_of
from tests.support.people import Person

WEBHOOKS = "/api/v1/webhooks"
URL = "https://hooks.example.com/in"
KINDS = kinds_by_name(kind for domain in app.asgi.DOMAINS for kind in domain.webhook_kinds)

JSONObject = dict[str, Any]


class Attempts:
    """Fans events out and makes attempts, as the queue does it later."""

    def __init__(self, owner: Litestar) -> None:
        self.app = owner
        self.core = core_of(owner)
        self.heard: list[WebhookDisabled] = []

    async def publish(
        self,
        kind: str = "user.updated",
        *,
        about: Person | None = None,
        event_id: UUID | None = None,
        at: datetime | None = None,
        version: int = 2,
        max_pending: int = 1_000,
    ) -> list[UUID]:
        """Fans out an event of a user; the ids of its new deliveries."""
        event = KINDS[kind].event(aggregate_id=about.id if about else new_id(), aggregate_version=version)
        envelope = EventEnvelope(event_id or new_id(), event, at or utc_now())
        async with self.core.database.independent() as unit:
            return await fan_out(unit, KINDS[kind], envelope, max_pending)

    async def deliver(
        self, delivery_id: UUID, sender: WebhookSender, *, attempt: int | None = None, sealer: Any = None
    ) -> float | None:
        """The next attempt, or that one. The seconds until the one after it."""
        if attempt is None:
            found = await rows(self.app, WebhookDelivery, WebhookDelivery.id == delivery_id)
            attempt = found[0].attempts + 1 if found else 1
        return await self.deliverer(sender, sealer).deliver(delivery_id, attempt)

    def deliverer(self, sender: WebhookSender, sealer: Any = None) -> Deliverer:
        return Deliverer(self.core.database, sender, sealer or self.core.sealer, self._events())

    async def delivery(self, delivery_id: UUID) -> WebhookDelivery:
        """The row."""
        (found,) = await rows(self.app, WebhookDelivery, WebhookDelivery.id == delivery_id)
        assert isinstance(found, WebhookDelivery)
        return found

    def _events(self) -> Events:
        async def remember(event: WebhookDisabled, _unit: UnitOfWork) -> None:
            self.heard.append(event)

        return Events([in_transaction(WebhookDisabled)(remember)])


async def make_webhook(calls: httpx.AsyncClient, person: Person | None = None, **values: Any) -> JSONObject:
    """A webhook with its secret, as its owner gets it."""
    body = {"url": URL, "kinds": ["user.updated"], **values}
    response = await calls.post(WEBHOOKS, json=body, headers=person.headers if person else {})
    assert response.status_code == 201, response.text
    made: JSONObject = response.json()
    return made


def context_of(owner: Litestar) -> JobContext:
    """What a job has at hand in this app."""
    return JobContext(
        job_id=new_id(),
        name="test",
        attempt=1,
        is_last_attempt=False,
        request_id=None,
        database=core_of(owner).database,
        services=core_of(owner).services,
    )
