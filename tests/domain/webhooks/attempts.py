"""Webhooks without a queue: fanned out, enqueued into a list, and attempted by hand."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar

import app.asgi
from app.domain.webhooks.events import WebhookDisabled
from app.domain.webhooks.models import WebhookDelivery
from app.domain.webhooks.services.delivering import Deliverer, Outcome
from app.domain.webhooks.services.fan_out import FanOut
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events, in_transaction
from app.lib.jobs import JobContext
from app.lib.webhooks.kinds import WebhookEvent, kinds_by_name
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

    async def enqueue(self, unit: UnitOfWork, delivery_id: UUID) -> bool:
        assert unit.session.in_transaction()
        return True

    async def tell(self, kind: str = "user.updated", *, about: Sequence[Person] = (), **values: Any) -> list[UUID]:
        """Fans an event out; the ids of its new deliveries."""
        event = WebhookEvent(
            **{
                "id": new_id(),
                "kind": kind,
                "occurred_at": utc_now(),
                "data": {"user_id": str(about[0].id) if about else None},
                "concerns": tuple(person.id for person in about),
                **values,
            }
        )
        enqueued: list[UUID] = []

        async def enqueue(unit: UnitOfWork, delivery_id: UUID) -> bool:
            enqueued.append(delivery_id)
            return await self.enqueue(unit, delivery_id)

        async with self.core.database.independent() as unit:
            made = await FanOut(KINDS, enqueue)(event, unit)
        assert made == len(enqueued)
        return enqueued

    async def deliver(self, delivery_id: UUID, sender: WebhookSender, *, sealer: Any = None) -> Outcome:
        """One attempt."""
        deliverer = Deliverer(self.core.database, sender, sealer or self.core.sealer, self._events())
        return await deliverer.deliver(delivery_id)

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
