"""One attempt to deliver; the queue calls it, and does what comes back."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
import structlog

from app.domain.webhooks.events import WebhookDisabled
from app.domain.webhooks.models import WebhookEndpoint
from app.domain.webhooks.repositories import FAILED, PENDING, SUCCEEDED, DeliveryRepository, WebhookRepository
from app.domain.webhooks.rows import DueDelivery
from app.domain.webhooks.services.deliveries import TEST_KIND
from app.domain.webhooks.services.secrets import signing_keys
from app.lib import audit
from app.lib.audit import SYSTEM
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.security.sealing import CannotUnseal, Sealer
from app.lib.webhooks.schedule import next_delay
from app.lib.webhooks.sender import Answer, WebhookSender
from app.lib.webhooks.signing import signed_headers

FAILING_FOR = timedelta(days=5)
"""A webhook is switched off when a delivery is given up and nothing has got through for so long."""

AT_ONCE_PER_OWNER = 2
"""Attempts for one owner that a process makes at a time: nobody's slow receivers hold up everybody's deliveries."""

_GONE = 410

log = structlog.get_logger(__name__)


class Done(msgspec.Struct, frozen=True):
    """Delivered, or nothing left to deliver."""


class TryAgain(msgspec.Struct, frozen=True):
    """Call again after that time."""

    after: timedelta


class GivenUp(msgspec.Struct, frozen=True):
    """Not delivered, and not tried again unless its owner asks for it."""

    failure: str


Outcome = Done | TryAgain | GivenUp


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt came to. ``failure`` is None when it was accepted."""

    failure: str | None
    is_final: bool = False
    answer: Answer = Answer()


class Deliverer:
    """Makes attempts. Safe to call more than once for a delivery: what is over is not sent again, and of two attempts
    at the same time one is counted.
    """

    def __init__(self, database: Database, sender: WebhookSender, sealer: Sealer, events: Events) -> None:
        self._database = database
        self._sender = sender
        self._sealer = sealer
        self._events = events
        self._busy: Counter[UUID] = Counter()

    async def deliver(self, delivery_id: UUID) -> Outcome:
        """One attempt, in at most 15 seconds and without a transaction around them.

        Raises what the database raises; then nothing was recorded, and the delivery may be repeated.
        """
        async with self._database.independent() as unit:
            due = await DeliveryRepository(session=unit.session).due(delivery_id)
        if due is None or due.status != PENDING:
            return Done()
        if self._busy[due.owner_id] >= AT_ONCE_PER_OWNER:
            return TryAgain(timedelta(seconds=random.uniform(1, 5)))  # noqa: S311 - spreads the load, no secret
        self._busy[due.owner_id] += 1
        try:
            result = await self._attempt(due)
        finally:
            self._busy[due.owner_id] -= 1
            self._busy += Counter()  # drops those who have none any more
        async with self._database.independent() as unit:
            outcome = await self._record(unit, due, result)
        log.info(
            "webhook.attempted",
            delivery_id=str(due.id),
            webhook_id=str(due.endpoint_id),
            kind=due.kind,
            attempt=due.attempts + 1,
            outcome=type(outcome).__name__,
            failure=result.failure,
            status=result.answer.status,
        )
        return outcome

    async def _attempt(self, due: DueDelivery) -> _Result:
        if not due.is_wanted:
            return _Result(failure="webhook_inactive", is_final=True)
        now = utc_now()
        try:
            keys = signing_keys(due, self._sealer, now)
        except CannotUnseal:
            log.error("webhook.secret_unreadable", webhook_id=str(due.endpoint_id))  # noqa: TRY400 - nothing to trace
            return _Result(failure="secret_unreadable")
        body = due.body.encode()
        answer = await self._sender.send(due.url, signed_headers(keys, str(due.event_id), now, body), body)
        is_final = answer.status == _GONE or (answer.failure is not None and due.kind == TEST_KIND)
        return _Result(failure=answer.failure, is_final=is_final, answer=answer)

    async def _record(self, unit: UnitOfWork, due: DueDelivery, result: _Result) -> Outcome:
        """The webhook is locked before the delivery, as who deletes it does it."""
        webhook = await WebhookRepository(session=unit.session).lock_for_result(due.endpoint_id)
        if webhook is None:
            return Done()
        outcome = _outcome(due, result)
        values = _recorded(result, outcome)
        if not await DeliveryRepository(session=unit.session).record(due.id, due.attempts, values):
            return Done()  # another attempt was counted, and goes on if need be
        await self._judge(unit, webhook, due, result, given_up=isinstance(outcome, GivenUp))
        return outcome

    async def _judge(
        self, unit: UnitOfWork, webhook: WebhookEndpoint, due: DueDelivery, result: _Result, *, given_up: bool
    ) -> None:
        """What the attempt says about the webhook itself."""
        if result.answer.status == _GONE:
            await self._disable(unit, webhook, "gone")
        elif result.failure is None:
            webhook.failing_since = None
        elif result.answer.failure is not None and due.kind != TEST_KIND:
            since = webhook.failing_since = webhook.failing_since or utc_now()
            if given_up and utc_now() - since >= FAILING_FOR:
                await self._disable(unit, webhook, "failing")
        await unit.session.flush()

    async def _disable(self, unit: UnitOfWork, webhook: WebhookEndpoint, reason: Literal["gone", "failing"]) -> None:
        if not webhook.is_active:
            return
        webhook.is_active, webhook.disabled_reason = False, reason
        await unit.session.flush()
        await audit.record(unit, "webhook.disabled", SYSTEM, subject_id=webhook.id, reason=reason)
        await self._events.publish(
            unit,
            WebhookDisabled(
                aggregate_id=webhook.id, aggregate_version=webhook.version, owner_id=webhook.owner_id, reason=reason
            ),
        )


def _outcome(due: DueDelivery, result: _Result) -> Outcome:
    if result.failure is None:
        return Done()
    delay = None if result.is_final else next_delay(due.attempts + 1, result.answer.retry_after)
    return GivenUp(result.failure) if delay is None else TryAgain(delay)


def _recorded(result: _Result, outcome: Outcome) -> dict[str, Any]:
    now = utc_now()
    status = {Done: SUCCEEDED, TryAgain: PENDING, GivenUp: FAILED}[type(outcome)]
    return {
        "status": status,
        "next_attempt_at": now + outcome.after if isinstance(outcome, TryAgain) else None,
        "last_attempt_at": now,
        "updated_at": now,
        "failure": result.failure,
        "response_status": result.answer.status,
        "response_body": result.answer.body,
        "duration_ms": result.answer.duration_ms,
    }
