"""What webhooks are sent about posts: ids only, so that the receiver asks with rights of their own."""

from app.domain.posts.events import PostDeleted, PostEvent, PostPublished, PostUpdated
from app.domain.posts.permissions import POSTS_WRITE
from app.lib.webhooks.kinds import WebhookKind, WebhookPayload


def _payload_of(event: PostEvent) -> WebhookPayload:
    data = {"post_id": str(event.aggregate_id), "author_id": str(event.author_id), "version": event.aggregate_version}
    return WebhookPayload(data=data, concerns=(event.author_id,))


WEBHOOK_KINDS = tuple(
    WebhookKind(
        description=description,
        permission=POSTS_WRITE,
        event=event,
        payload_of=_payload_of,
        only_newest=event is PostUpdated,
    )
    for event, description in (
        (PostPublished, "A post has become public; for a scheduled one, when its time came."),
        (PostUpdated, "A post was changed, published ones and drafts alike."),
        (PostDeleted, "A post was deleted."),
    )
)
