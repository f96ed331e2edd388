from uuid import UUID

from sqlalchemy import BigInteger, bindparam, select

from app.domain.posts.events import PostPublished
from app.domain.posts.models import Post
from app.lib.db.instants import database_now
from app.lib.db.prepared import prepare
from app.lib.db.reader import Reader
from app.lib.events.tables import StoredEvent

_public = prepare(select(Post.id).where(Post.id == bindparam("post_id"), Post.public_from <= database_now()), UUID)
_last_publication = prepare(
    select(StoredEvent.aggregate_version)
    .where(
        StoredEvent.aggregate_id == bindparam("post_id"),
        StoredEvent.kind == PostPublished.kind,
        StoredEvent.aggregate_version < bindparam("version", type_=BigInteger()),
    )
    .order_by(StoredEvent.aggregate_version.desc())
    .limit(1),
    int,
)


class PublicationReads:
    """What the public has seen of posts."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def is_public(self, post_id: UUID) -> bool:
        """At this moment."""
        return await self._reader.scalar(_public, post_id=post_id) is not None

    async def last_before(self, post_id: UUID, version: int) -> int | None:
        """The version in which a post became public for the last time before that version."""
        return await self._reader.scalar(_last_publication, post_id=post_id, version=version)
