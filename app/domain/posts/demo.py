"""Demo posts: published over the last weeks, some drafts, and some that are scheduled."""

from datetime import timedelta
from itertools import cycle
from typing import NamedTuple

from app.domain.posts.dtos import PostCreate
from app.domain.posts.services.posts import PostService
from app.lib.audit import SYSTEM
from app.lib.clock import utc_now
from app.lib.domain import Demo

AUTHORS = 7
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
- It was written for this demo.

> Read on at [the documentation](https://example.com/docs).

```python
print("{title}")
```
"""


async def seed(demo: Demo) -> None:
    """Writes a post for each topic, by one author after another."""
    authors = list(demo.people.values())[:AUTHORS]
    posts = demo.services.build(PostService, demo.unit, SYSTEM)
    now = utc_now()
    for number, (topic, author) in enumerate(zip(TOPICS, cycle(authors), strict=False)):
        data = PostCreate(
            title=topic.title,
            content=_CONTENT.format(title=topic.title, tags=" and ".join(topic.tags)),
            tags=list(topic.tags),
        )
        if number >= DRAFTS:
            # The first of them are scheduled; the others go back into the past, some hours apart.
            data.published_at = now + timedelta(days=SCHEDULED + DRAFTS - number - 0.5, hours=number % 7)
        await posts.create(data, author)
