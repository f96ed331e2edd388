"""The newest posts as an Atom feed (RFC 4287)."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID
from xml.etree import ElementTree as ET

import msgspec

from app.domain.accounts.dtos import PublicProfile
from app.domain.accounts.services.queries import AccountQueries
from app.domain.posts.markdown import beginning, to_html
from app.domain.posts.memory import PostMemory
from app.domain.posts.repositories import PostReads
from app.domain.posts.rows import FeedRow

PATH = "/api/v1/feed.atom"
_POSTS = "/api/v1/posts"
_NAMESPACE = "http://www.w3.org/2005/Atom"
_MAX_CONTENT = 20_000
"""Characters of a post's content; whoever wants to read on follows its link."""
_NOBODY = "Somebody"
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # and lone surrogates, which no text of ours has
_NEVER_UPDATED = datetime(1970, 1, 1, tzinfo=UTC)


class Feed(msgspec.Struct, frozen=True):
    """The document, and a tag of it."""

    content: bytes
    etag: str


class FeedService:
    """Made anew at most once a second in each process."""

    def __init__(
        self, reads: PostReads, accounts: AccountQueries, memory: PostMemory, *, base_url: str, title: str
    ) -> None:
        self._reads = reads
        self._accounts = accounts
        self._memory = memory
        self._base_url = base_url.rstrip("/")
        self._title = title

    async def feed(self) -> Feed:
        async with self._memory.making_feed:  # whoever comes meanwhile has it from memory
            found = await self._memory.lists.get("feed", self._make, lambda feed: len(feed.content))
        return found or await self._make()

    async def _make(self) -> Feed:
        rows = await self._reads.feed()
        authors = await self._accounts.public_profiles(row.author_id for row in rows)
        texts = [await self._html(row) for row in rows]
        content = self._write(rows, texts, authors)
        return Feed(content, f'"{sha256(content).hexdigest()[:32]}"')

    async def _html(self, row: FeedRow) -> str:
        """Once for each version of a post, and in a thread: reading hostile Markdown takes up to a second."""
        found = await self._memory.html.get((row.id, row.version), lambda: asyncio.to_thread(_render, row), len)
        return found or ""

    def _write(self, rows: Sequence[FeedRow], texts: Sequence[str], authors: Mapping[UUID, PublicProfile]) -> bytes:
        address = f"{self._base_url}{PATH}"
        root = ET.Element("feed", xmlns=_NAMESPACE)
        _add(root, "id", address)
        _add(root, "title", self._title)
        _add(root, "updated", _instant(max(map(_updated, rows), default=_NEVER_UPDATED)))
        _add(root, "link", rel="self", href=address, type="application/atom+xml")
        for row, text in zip(rows, texts, strict=True):
            self._write_entry(ET.SubElement(root, "entry"), row, text, authors.get(row.author_id))
        written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return written

    def _write_entry(self, entry: ET.Element, row: FeedRow, text: str, author: PublicProfile | None) -> None:
        _add(entry, "id", f"urn:uuid:{row.id}")
        _add(entry, "title", row.title)
        _add(entry, "link", rel="alternate", href=f"{self._base_url}{_POSTS}/{row.slug}", type="application/json")
        _add(entry, "published", _instant(row.published_at))
        _add(entry, "updated", _instant(_updated(row)))
        person = ET.SubElement(entry, "author")
        _add(person, "name", (author and (author.full_name or author.username)) or _NOBODY)
        for tag in row.tags:
            _add(entry, "category", term=tag)
        _add(entry, "summary", row.excerpt, type="text")
        _add(entry, "content", text, type="html")


def _render(row: FeedRow) -> str:
    return to_html(beginning(row.content, _MAX_CONTENT))


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> None:
    child = ET.SubElement(parent, name, attributes)
    if text is not None:
        child.text = _NOT_IN_XML.sub("", text)


def _updated(row: FeedRow) -> datetime:
    """A scheduled post was written before it was published."""
    return max(row.updated_at, row.published_at)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
