"""One attempt to deliver, as a job."""

from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec
import structlog

from app.domain.webhooks.events import WebhookDisabled
from app.domain.webhooks.models import WebhookEndpoint
from app.domain.webhooks.repositories import (
    DELETE_OF,
    DUE,
    FAILED,
    PENDING,
    SUCCEEDED,
    DeliveryRepository,
    WebhookRepository,
)
from app.domain.webhooks.rows import DeliverWebhook, DueDelivery
from app.domain.webhooks.services.secrets import signing_keys
from app.lib import audit
from app.lib.audit import SYSTEM
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.statements import BATCH
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.jobs import JobContext, Postpone, Retry, RetryLater, enqueue, job, run_now
from app.lib.security.sealing import CannotUnseal, Sealer
from app.lib.webhooks.sender import Answer, WebhookSender
from app.lib.webhooks.signing import signed_headers

TEST_KIND = "webhook.test"
"""Sent when its owner asks for it, even without a subscription, and tried once."""

RETRY = Retry(attempts=10, delays=(5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400), jitter=0.2)
"""Standard Webhooks 1.0, "Deliverability and reliability": ten attempts within three days and four hours."""

LONGEST_WAIT = 86_400.0
"""Seconds that a receiver may ask for with ``Retry-After``. It makes the wait longer, never shorter."""

FAILING_FOR = timedelta(days=5)
"""A webhook is disabled when a delivery has failed for good and nothing has got through for this time."""

_AT_ONCE = 12
"""Receivers may take 15 seconds each; other jobs must not wait for them."""

_GONE = 410

log = structlog.get_logger(__name__)


@job(
    "webhooks.deliver",
    DeliverWebhook,
    retry=RETRY,
    timeout=40,
    at_most=_AT_ONCE,
    key=lambda payload: str(payload.delivery_id),
    owner=lambda payload: str(payload.owner_id),
)
async def deliver_webhook(payload: DeliverWebhook, context: JobContext) -> None:
    wait = await context.service(Deliverer).deliver(payload.delivery_id, context.attempt)
    if wait == 0:
        raise Postpone(0)
    if wait is not None:
        raise RetryLater(wait, "The delivery has the reason.")


class DeletedWebhook(msgspec.Struct, frozen=True):
    webhook_id: UUID


@job("webhooks.delete_deliveries", DeletedWebhook, timeout=600)
async def delete_deliveries(payload: DeletedWebhook, context: JobContext) -> None:
    """Of a webhook that is deleted."""
    await context.in_batches(lambda unit: unit.execute(DELETE_OF, webhook_id=payload.webhook_id))


async def delete_first_deliveries(unit: UnitOfWork, webhook_id: UUID) -> None:
    """Of a webhook that is locked and will be deleted: the first batch now, which is all of them as a rule; the others
    by a job.
    """
    if await unit.execute(DELETE_OF, webhook_id=webhook_id) == BATCH:
        await enqueue(unit, delete_deliveries, DeletedWebhook(webhook_id))


async def enqueue_delivery(unit: UnitOfWork, delivery: DeliverWebhook) -> bool:
    """An attempt at once: by the job that waits for its time, or a new one. False when an attempt is running."""
    if await run_now(unit, deliver_webhook, str(delivery.delivery_id)):
        return True
    return await enqueue(unit, deliver_webhook, delivery) is not None


class Deliverer:
    """Makes attempts. What has succeeded or failed is not sent again; of two attempts at the same time one counts."""

    def __init__(self, database: Database, sender: WebhookSender, sealer: Sealer, events: Events) -> None:
        self._database = database
        self._sender = sender
        self._sealer = sealer
        self._events = events

    async def deliver(self, delivery_id: UUID, attempt: int) -> float | None:
        """Makes the nth attempt, in at most 15 seconds and without a transaction around them.

        Returns the seconds to wait for the next one; None when there is none; 0 when the delivery was changed on the
        way, so that it is another event's now or needs no attempt any more.
        """
        async with self._database.independent() as unit:
            due = await unit.first(DUE, delivery_id=delivery_id)
        if due is None or due.status != PENDING:
            return None
        failure, answer, is_final = await self._attempt(due)
        wait = None
        if failure is not None and not is_final and attempt < RETRY.attempts:
            asked = answer.retry_after or timedelta()
            wait = max(RETRY.wait_after(attempt), min(asked.total_seconds(), LONGEST_WAIT))
        async with self._database.independent() as unit:
            wait = await self._record(unit, due, attempt, failure, answer, wait)
        log.info(
            "webhook.attempted",
            delivery_id=str(due.id),
            webhook_id=str(due.endpoint_id),
            kind=due.kind,
            attempt=attempt,
            failure=failure,
            status=answer.status,
            again_in=wait,
        )
        return wait

    async def _attempt(self, due: DueDelivery) -> tuple[str | None, Answer, bool]:
        """The failure, None when it was accepted; the answer; and whether a failure is the last one."""
        if not due.is_wanted:
            return "webhook_inactive", Answer(), True
        now = utc_now()
        try:
            keys = signing_keys(due, self._sealer, now)
        except CannotUnseal:
            log.error("webhook.secret_unreadable", webhook_id=str(due.endpoint_id))  # noqa: TRY400 - nothing to trace
            return "secret_unreadable", Answer(), False
        body = due.body.encode()
        answer = await self._sender.send(due.url, signed_headers(keys, str(due.event_id), now, body), body)
        return answer.failure, answer, answer.status == _GONE or due.kind == TEST_KIND

    async def _record(
        self, unit: UnitOfWork, due: DueDelivery, attempt: int, failure: str | None, answer: Answer, wait: float | None
    ) -> float | None:
        """Writes the outcome, and what it says about the webhook. Returns the wait; 0 when the delivery has changed
        since, and None when it is deleted.

        The webhook is locked before the delivery, as a deletion does it.
        """
        webhooks = WebhookRepository(unit)
        webhook = await webhooks.lock_for_result(due.endpoint_id)
        now = utc_now()
        status = SUCCEEDED if failure is None else FAILED if wait is None else PENDING
        if webhook is None:
            return None
        if not await DeliveryRepository(unit).record(
            due,
            status=status,
            attempts=attempt,
            next_attempt_at=None if wait is None else now + timedelta(seconds=wait),
            last_attempt_at=now,
            updated_at=now,
            failure=failure,
            response_status=answer.status,
            response_body=answer.body,
            duration_ms=answer.duration_ms,
        ):
            return 0.0
        if answer.status == _GONE:
            await self._disable(unit, webhook, "gone")
        elif failure is None:
            webhook.first_failed_at = None
        elif answer.failure is not None and due.kind != TEST_KIND:
            since = webhook.first_failed_at = webhook.first_failed_at or now
            if status == FAILED and since <= now - FAILING_FOR:
                await self._disable(unit, webhook, "failing")
        await webhooks.update(webhook)
        return wait

    async def _disable(self, unit: UnitOfWork, webhook: WebhookEndpoint, reason: Literal["gone", "failing"]) -> None:
        if not webhook.is_active:
            return
        webhook.is_active, webhook.disabled_reason = False, reason
        await WebhookRepository(unit).update(webhook)
        await audit.record(unit, "webhook.disabled", SYSTEM, subject_id=webhook.id, reason=reason)
        disabled = WebhookDisabled(
            aggregate_id=webhook.id, aggregate_version=webhook.version, owner_id=webhook.owner_id, reason=reason
        )
        await self._events.publish(unit, disabled)
