"""What a process remembers of public posts."""

import asyncio

from app.domain.posts.events import PostsChanged
from app.lib.recent import Recent

SECONDS = 1.0
MAX_BYTES_OF_POSTS = 24 * 2**20
MAX_BYTES_OF_LISTS = 8 * 2**20
SECONDS_OF_HTML = 3600.0
MAX_BYTES_OF_HTML = 8 * 2**20


class PostMemory:
    """Public posts by id and slug; and first pages of lists, the tags and the feed. For at most a second, and never
    past a write of this process: that drops the posts which it has changed, and all lists. So does a new name of
    somebody, which the feed has.

    Other processes see a write when their copy is too old. ``html`` has what was made of a version of a post, which is
    never wrong.
    """

    def __init__(self) -> None:
        self.posts = Recent(SECONDS, MAX_BYTES_OF_POSTS)
        self.lists = Recent(SECONDS, MAX_BYTES_OF_LISTS)
        self.html = Recent(SECONDS_OF_HTML, MAX_BYTES_OF_HTML)
        self.making_feed = asyncio.Lock()
        self.rendering = asyncio.Lock()

    def forget(self) -> None:
        """Drops everything."""
        for each in (self.posts, self.lists, self.html):
            each.forget()

    def drop(self, changed: PostsChanged) -> None:
        """Drops the posts that were changed, and all lists."""
        self.posts.forget(*(changed.keys or ()))
        self.lists.forget()
