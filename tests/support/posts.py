"""Posts made in the database, without a request."""

from uuid import UUID

from app.core import Core
from app.domain.posts.models import Post
from app.domain.posts.repositories import PostRepository
from app.domain.posts.services.publication import publish
from app.lib.clock import utc_now
from app.lib.db.base import new_id


async def post_of(author_id: UUID, core: Core) -> UUID:
    """A public post of this user; its id."""
    post_id = new_id()
    post = Post(
        id=post_id,
        author_id=author_id,
        title="Found",
        title_key="found",
        title_search="found",
        slug=f"found-{post_id.hex}",
        content="Here.",
        search="found here #sea",
        excerpt="Here.",
        tags=["sea"],
        is_announced=True,
    )
    publish(post, utc_now(), utc_now())
    async with core.database.independent() as unit:
        posts = PostRepository(unit)
        await posts.create(post)
        await posts.create_tags(post)
    return post_id
