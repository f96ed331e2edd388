"""What a process remembers of public posts."""

from app.domain.posts.events import PostsChanged
from app.lib.recent import Recent
from app.lib.signals import Signals

SECONDS = 1.0
MAX_BYTES_OF_POSTS = 24 * 2**20
MAX_BYTES_OF_LISTS = 8 * 2**20


class PostMemory:
    """Public posts by id and slug; and first pages of lists, the tags and the feed. For at most a second, and never
    past a write of this process: that drops the posts which it has changed, and all lists.

    Other processes see a write when their copy is too old.
    """

    def __init__(self, signals: Signals) -> None:
        self.posts = Recent(SECONDS, MAX_BYTES_OF_POSTS)
        self.lists = Recent(SECONDS, MAX_BYTES_OF_LISTS)
        signals.connect(PostsChanged, self._drop)

    def forget(self) -> None:
        """Drops everything."""
        self.posts.forget()
        self.lists.forget()

    def _drop(self, changed: PostsChanged) -> None:
        self.posts.forget(*(changed.keys or ()))
        self.lists.forget()
