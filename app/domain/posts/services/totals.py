"""What a change of posts does to the totals of tags."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol


class Tagged(Protocol):
    """A post, or what was read of it. It counts once it is announced."""

    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def is_announced(self) -> bool: ...


def counted(post: Tagged) -> Counter[str]:
    """The tags that the post is counted under."""
    return Counter(post.tags if post.is_announced else ())


def difference(before: Counter[str], after: Counter[str]) -> Counter[str]:
    """What is to be added, negative where it is taken away."""
    change = Counter(after)
    change.subtract(before)
    return change
