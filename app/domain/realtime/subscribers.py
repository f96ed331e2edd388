"""From the outbox to channels: what webhooks tell of posts and orders, with the version that it is about."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from app.domain.accounts.events import UserDeleted
from app.domain.orders.webhooks import WEBHOOK_KINDS as ORDER_KINDS
from app.domain.posts.events import PostDeleted, PostEvent, PostPublished, PostUpdated
from app.domain.posts.webhooks import WEBHOOK_KINDS as POST_KINDS
from app.domain.realtime.repositories.messages import SenderRepository
from app.domain.realtime.repositories.told import PublicationReads
from app.lib.events import AfterCommit, Event, EventEnvelope, after_commit
from app.lib.jobs import JobContext
from app.lib.realtime.events import NewEvent
from app.lib.realtime.hub import Hub
from app.lib.webhooks.kinds import WebhookKind

POSTS = "posts"
_BATCH = 1_000

KeyOf = Callable[[EventEnvelope[Any], JobContext], Awaitable[str | None]]
"""The key under which an event is published, once however often it is tried; None where it is nobody's business."""


async def _key_of_event(envelope: EventEnvelope[Event], _context: JobContext) -> str | None:
    return str(envelope.id)


async def _key_of_post(envelope: EventEnvelope[PostEvent], context: JobContext) -> str | None:
    """Everybody hears of posts, so drafts have to be kept out of it. When one that was public has become a draft, that
    is told once, and nothing of what happens to the draft.
    """
    event, reads = envelope.event, PublicationReads(context.reader)
    if isinstance(event, PostPublished):
        return str(envelope.id)
    if isinstance(event, PostDeleted):
        return str(envelope.id) if event.was_public else None
    if isinstance(event, PostUpdated) and await reads.is_public(event.aggregate_id):
        return str(envelope.id)
    last_seen = await reads.last_before(event.aggregate_id, event.aggregate_version)
    return None if last_seen is None else f"{event.aggregate_id}:{last_seen}:updated"


def _channel_of_order(event: Event) -> str:
    return f"orders:{event.aggregate_id}"


def _subscriber(kind: WebhookKind, channel_of: Callable[[Event], str], key_of: KeyOf) -> AfterCommit[Any]:
    event, tell = kind.event, kind.tell
    assert event is not None, kind.name  # noqa: S101 - those of posts and orders have one
    assert tell is not None, kind.name  # noqa: S101 - as above

    @after_commit(f"realtime:{kind.name}", event)
    async def publish(envelope: EventEnvelope[Event], context: JobContext) -> None:
        key = await key_of(envelope, context)
        if key is None:
            return
        data = {**tell(envelope.event).data, "version": envelope.event.aggregate_version}
        channel = channel_of(envelope.event)
        await context.service(Hub).publish(
            NewEvent(channel=channel, event=kind.name, data=msgspec.json.encode(data), key=key)
        )

    return publish


@after_commit("realtime:forget", UserDeleted)
async def forget_sender(envelope: EventEnvelope[UserDeleted], context: JobContext) -> None:
    """What they have said stays, without them."""
    count = _BATCH
    while count == _BATCH:
        async with context.unit() as unit:
            count = await SenderRepository(unit.session).forget(envelope.event.aggregate_id, _BATCH)


SUBSCRIBERS: tuple[AfterCommit[Any], ...] = (
    *(_subscriber(kind, lambda _event: POSTS, _key_of_post) for kind in POST_KINDS),
    *(_subscriber(kind, _channel_of_order, _key_of_event) for kind in ORDER_KINDS),
    forget_sender,
)
