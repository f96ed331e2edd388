"""The newest posts as an Atom feed (RFC 4287)."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID
from xml.etree import ElementTree as ET

import msgspec

from app.domain.accounts.services.queries import AccountQueries
from app.domain.posts.markdown import to_html
from app.domain.posts.memory import PostMemory
from app.domain.posts.repositories import PostReads
from app.domain.posts.rows import FeedRow

PATH = "/api/v1/feed.atom"
_POSTS = "/api/v1/posts"
_NAMESPACE = "http://www.w3.org/2005/Atom"
_ROUGHLY = 3_000
"""Bytes of a post beside its content."""
_NOBODY = "Somebody"
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # and lone surrogates, which no text of ours has
_NEVER_UPDATED = datetime(1970, 1, 1, tzinfo=UTC)


class Newest(msgspec.Struct, frozen=True):
    """What the feed is made of, and a tag of the feed that is known before it is made."""

    rows: list[FeedRow]
    authors: dict[UUID, str]
    etag: str


class FeedService:
    """Made anew at most once a second in each process, and only for those who do not have it."""

    def __init__(
        self, reads: PostReads, accounts: AccountQueries, memory: PostMemory, *, base_url: str, title: str
    ) -> None:
        self._reads = reads
        self._accounts = accounts
        self._memory = memory
        self._base_url = base_url.rstrip("/")
        self._title = title

    async def newest(self) -> Newest:
        """What is in the feed at the moment."""
        found = await self._memory.lists.get("newest", self._read, _size)
        return found or await self._read()

    async def document(self, newest: Newest) -> bytes:
        """The feed itself."""
        async with self._memory.making_feed:  # whoever comes meanwhile has it from memory
            key = ("feed", newest.etag)
            found = await self._memory.lists.get(key, lambda: self._make(newest), len)
        return found or b""

    async def _read(self) -> Newest:
        rows = await self._reads.feed()
        people = await self._accounts.public_profiles(row.author_id for row in rows)
        authors = {user_id: person.full_name or person.username or _NOBODY for user_id, person in people.items()}
        seen = [(row.id.bytes, row.version, authors.get(row.author_id)) for row in rows]
        digest = sha256(msgspec.msgpack.encode((self._base_url, self._title, seen))).hexdigest()
        return Newest(rows, authors, f'W/"{digest[:32]}"')

    async def _make(self, newest: Newest) -> bytes:
        # A task of its own: when nobody waits any more, what a thread has begun is remembered all the same.
        texts = [await asyncio.shield(asyncio.create_task(self._html(row))) for row in newest.rows]
        return self._write(newest.rows, texts, newest.authors)

    async def _html(self, row: FeedRow) -> str | None:
        """Once for each version of a post, one at a time, in a thread: hostile Markdown takes a part of a second."""
        if (content := row.content) is None:
            return None
        async with self._memory.rendering:
            key = (row.id, row.version)
            return await self._memory.html.get(key, lambda: asyncio.to_thread(to_html, content), len)

    def _write(self, rows: Sequence[FeedRow], texts: Sequence[str | None], authors: Mapping[UUID, str]) -> bytes:
        address = f"{self._base_url}{PATH}"
        root = ET.Element("feed", xmlns=_NAMESPACE)
        _add(root, "id", address)
        _add(root, "title", self._title)
        _add(root, "updated", _instant(max(map(_updated, rows), default=_NEVER_UPDATED)))
        _add(root, "link", rel="self", href=address, type="application/atom+xml")
        for row, text in zip(rows, texts, strict=True):
            self._write_entry(ET.SubElement(root, "entry"), row, text, authors.get(row.author_id, _NOBODY))
        written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return written

    def _write_entry(self, entry: ET.Element, row: FeedRow, text: str | None, author: str) -> None:
        _add(entry, "id", f"urn:uuid:{row.id}")
        _add(entry, "title", row.title)
        _add(entry, "link", rel="alternate", href=f"{self._base_url}{_POSTS}/{row.slug}", type="application/json")
        _add(entry, "published", _instant(row.published_at))
        _add(entry, "updated", _instant(_updated(row)))
        person = ET.SubElement(entry, "author")
        _add(person, "name", author)
        for tag in row.tags:
            _add(entry, "category", term=tag)
        _add(entry, "summary", row.excerpt, type="text")
        if text is not None:
            _add(entry, "content", text, type="html")


def _size(newest: Newest) -> int:
    return sum(4 * len(row.content or "") + _ROUGHLY for row in newest.rows)


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> None:
    child = ET.SubElement(parent, name, attributes)
    if text is not None:
        child.text = _NOT_IN_XML.sub("", text)


def _updated(row: FeedRow) -> datetime:
    """A scheduled post was written before it was published."""
    return max(row.updated_at, row.published_at)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
