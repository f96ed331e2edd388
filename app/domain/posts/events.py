"""What happens to posts: told to caches of this process, and to others after the commit."""

from uuid import UUID

from app.lib.events import Event, Hint, event


@event("posts.changed")
class PostsChanged(Hint, frozen=True, kw_only=True):
    """What a process remembers of these posts, and of lists, is no longer true.

    ``keys`` are their ids and slugs, former slugs included; None is any post.
    """

    keys: frozenset[UUID | str] | None = None


class PostEvent(Event, frozen=True, kw_only=True):
    """The base of events of posts."""

    author_id: UUID


@event("post.published")
class PostPublished(PostEvent, frozen=True, kw_only=True):
    """The public sees the post from now on."""


@event("post.updated")
class PostUpdated(PostEvent, frozen=True, kw_only=True):
    """A post was changed, perhaps a draft."""


@event("post.deleted")
class PostDeleted(PostEvent, frozen=True, kw_only=True):
    """A post is gone. ``was_public`` says whether the public knew it at the end; nobody is to hear of drafts."""

    was_public: bool = False
