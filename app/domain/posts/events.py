"""What happens to posts."""

from uuid import UUID

from app.lib.events import Event, event


class PostEvent(Event, frozen=True, kw_only=True):
    """The base of events of posts."""

    author_id: UUID


@event("post.published")
class PostPublished(PostEvent, frozen=True, kw_only=True):
    """The public sees the post from now on."""


@event("post.updated")
class PostUpdated(PostEvent, frozen=True, kw_only=True):
    """A post was changed. ``was_public`` says whether the public saw it before the change or sees it now: of drafts the
    public learns nothing.
    """

    was_public: bool = False


@event("post.deleted")
class PostDeleted(PostEvent, frozen=True, kw_only=True):
    """A post was deleted. ``was_public`` says whether the public saw it at the end."""

    was_public: bool = False
