"""What a process remembers of public posts."""

from app.domain.posts.events import PostsChanged
from app.lib.recent import Recent
from app.lib.signals import Signals

SECONDS = 1.0
MAX_BYTES = 32 * 2**20


class PostMemory(Recent):
    """Public posts, the tags and the feed, for at most a second, and never past a write of this process.

    Other processes see a write when their copy is too old.
    """

    def __init__(self, signals: Signals) -> None:
        super().__init__(SECONDS, MAX_BYTES)
        signals.connect(PostsChanged, lambda _signal: self.forget())
