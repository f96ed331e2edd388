"""Slugs of posts: which one a post gets, and when it is the post's for all."""

from uuid import UUID

from app.domain.posts.dtos import MAX_SLUG
from app.domain.posts.errors import SlugTaken
from app.domain.posts.repositories import PostRepository
from app.domain.posts.slugs import numbered

_ATTEMPTS = 4


class SlugClaims:
    """A post that is not public has its slug among those of its author: others must not learn from the slugs that they
    get what it is called. It has it among all from when it becomes public.
    """

    def __init__(self, posts: PostRepository) -> None:
        self._posts = posts

    async def claim(self, post_id: UUID, author_id: UUID, slug: str, *, is_public: bool) -> str:
        """Just this slug. Raises ``SlugTaken``."""
        if not await self._try(post_id, author_id, slug, is_public=is_public):
            raise SlugTaken
        return slug

    async def claim_free(self, post_id: UUID, author_id: UUID, slug: str, *, is_public: bool) -> str:
        """The slug, or with the first number that is free; with a random end where those are used up, or many posts
        want the same at the same time.
        """
        if await self._try(post_id, author_id, slug, is_public=is_public):
            return slug
        for _ in range(_ATTEMPTS):
            taken = await self._posts.list_taken_slugs(numbered(slug), author_id)
            free = next((each for each in numbered(slug) if each not in taken), None)
            if free is None:
                break
            if await self._try(post_id, author_id, free, is_public=is_public):
                return free
        return await self.claim(post_id, author_id, f"{slug[: MAX_SLUG - 13]}-{post_id.hex[-12:]}", is_public=is_public)

    async def claim_at_publication(self, post_id: UUID, author_id: UUID, slug: str) -> str:
        """The slug that a post had before it became public, or one like it where another public post has that."""
        if await self._posts.claim_slug(post_id, slug):
            return slug
        return await self.claim_free(post_id, author_id, slug, is_public=True)

    async def _try(self, post_id: UUID, author_id: UUID, slug: str, *, is_public: bool) -> bool:
        if not is_public and await self._posts.is_slug_of_another(post_id, slug):
            return False
        if not await self._posts.claim_slug(post_id, slug, author_id):
            return False
        return not is_public or await self._posts.claim_slug(post_id, slug)
