"""The channel of posts: ids only, so that subscribers read posts with rights of their own. Drafts stay out of it."""

from typing import Any

from app.domain.posts.events import PostDeleted, PostEvent, PostPublished, PostUpdated
from app.lib.db.reader import Reader
from app.lib.events import EventEnvelope
from app.lib.realtime.channels import ChannelKind, Publication
from app.lib.security.principal import Principal


async def may_listen(_principal: Principal, _name: str) -> None:
    """All users who are signed in may."""


def _data(event: PostEvent) -> dict[str, Any]:
    return {"post_id": event.aggregate_id, "author_id": event.author_id}


async def _key_if_public(envelope: EventEnvelope[PostUpdated | PostDeleted], _reader: Reader) -> str | None:
    """When a public post becomes a draft, that is the last event of it."""
    return str(envelope.id) if envelope.event.was_public else None


CHANNEL_KINDS = (
    ChannelKind(
        name="posts",
        is_named=False,
        may_subscribe=may_listen,
        reserved_events=frozenset({"post"}),
        publications=(
            Publication(event=PostPublished, channel=lambda _event: "posts", data=_data),
            Publication(event=PostUpdated, channel=lambda _event: "posts", data=_data, key=_key_if_public),
            Publication(event=PostDeleted, channel=lambda _event: "posts", data=_data, key=_key_if_public),
        ),
    ),
)
