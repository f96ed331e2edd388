"""What a change of posts does to the totals of tags."""

from collections import Counter
from collections.abc import Iterable


def counted(tags: Iterable[str], *, is_announced: bool) -> Counter[str]:
    """The tags that a post is counted under: its own, once it is announced."""
    return Counter(tags if is_announced else ())


def difference(before: Counter[str], after: Counter[str]) -> Counter[str]:
    """What is to be added, negative where it is taken away."""
    change = Counter(after)
    change.subtract(before)
    return change
