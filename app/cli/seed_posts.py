"""The posts of ``app seed``: published over the last weeks, some drafts, and some that are still to come."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import cycle
from typing import NamedTuple

from app.cli.runtime import Office
from app.domain.posts.dtos import PostCreate
from app.lib.clock import utc_now
from app.lib.security.principal import Principal

DRAFTS = 4
SCHEDULED = 3


class Topic(NamedTuple):
    title: str
    tags: tuple[str, ...]


TOPICS = tuple(
    Topic(title.format(subject), (tag, kind))
    for subject, tag in (
        ("the Sea", "sea"),
        ("Engines", "engines"),
        ("Compilers", "computing"),
        ("Prime Numbers", "mathematics"),
        ("Clocks", "engines"),
        ("Radio", "electronics"),
        ("Networks", "computing"),
        ("Symmetry", "mathematics"),
        ("the Moon", "space"),
    )
    for title, kind in (
        ("What I Learned about {}", "notes"),
        ("{} for Beginners", "how-to"),
        ("A Short History of {}", "history"),
        ("Ten Questions about {}", "questions"),
    )
)

_CONTENT = """# {title}

This is a *demo post*. It shows what **Markdown** looks like, and gives search something to find.

- It is tagged {tags}.
- It was written by nobody in particular.

> Read on at [the documentation](https://example.com/docs).

```python
print("{title}")
```
"""


async def seed_posts(at: Office, authors: Sequence[Principal]) -> int:
    """Writes a post for each topic, by one author after another. Returns how many they are."""
    now = utc_now()
    for number, (topic, author) in enumerate(zip(TOPICS, cycle(authors), strict=False)):
        data = PostCreate(
            title=topic.title,
            content=_CONTENT.format(title=topic.title, tags=" and ".join(topic.tags)),
            tags=list(topic.tags),
        )
        if number >= DRAFTS:
            # The first of them are still to come; the others go back into the past, some hours apart.
            data.published_at = now + timedelta(days=SCHEDULED + DRAFTS - number - 0.5, hours=number % 7)
        await at.posts.create(data, author)
    return len(TOPICS)
