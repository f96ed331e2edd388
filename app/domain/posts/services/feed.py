"""The newest posts as an Atom feed (RFC 4287)."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID
from xml.etree import ElementTree as ET

import msgspec

from app.config import Settings
from app.domain.accounts.services.queries import AccountQueries
from app.domain.posts.repositories import FEED
from app.domain.posts.rows import FeedRow
from app.lib.db.reader import Reader

PATH = "/api/v1/feed.atom"
_POSTS = "/api/v1/posts"
_NAMESPACE = "http://www.w3.org/2005/Atom"
_UNNAMED = "Unknown author"
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # and lone surrogates, which no text of ours has
_NEVER_UPDATED = datetime(1970, 1, 1, tzinfo=UTC)


class Newest(msgspec.Struct, frozen=True):
    """What the feed is made of, and a tag of the feed that is known before it is made."""

    rows: Sequence[FeedRow]
    authors: dict[UUID, str]
    etag: str


class FeedService:
    """The HTML of posts is made when they are written, so a feed costs no more than reading them."""

    def __init__(self, reader: Reader, accounts: AccountQueries, settings: Settings) -> None:
        self._reader = reader
        self._accounts = accounts
        self._base_url = settings.base_url
        self._title = settings.product_name

    async def newest(self) -> Newest:
        """What is in the feed at the moment."""
        rows = await self._reader.all(FEED)
        people = await self._accounts.list_people(row.author_id for row in rows)
        authors = {each.id: each.name or each.username or _UNNAMED for each in people.values()}
        seen = [(row.id.bytes, row.version, authors.get(row.author_id)) for row in rows]
        digest = sha256(msgspec.msgpack.encode((self._base_url, self._title, seen))).hexdigest()
        return Newest(rows, authors, f'W/"{digest[:32]}"')

    def write(self, newest: Newest) -> bytes:
        """The feed itself."""
        address = f"{self._base_url}{PATH}"
        root = ET.Element("feed", xmlns=_NAMESPACE)
        _add(root, "id", address)
        _add(root, "title", self._title)
        _add(root, "updated", _instant(max(map(_updated, newest.rows), default=_NEVER_UPDATED)))
        _add(root, "link", rel="self", href=address, type="application/atom+xml")
        for row in newest.rows:
            self._write_entry(ET.SubElement(root, "entry"), row, newest.authors.get(row.author_id, _UNNAMED))
        written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return written

    def _write_entry(self, entry: ET.Element, row: FeedRow, author: str) -> None:
        _add(entry, "id", f"urn:uuid:{row.id}")
        _add(entry, "title", row.title)
        _add(entry, "link", rel="alternate", href=f"{self._base_url}{_POSTS}/{row.slug}", type="application/json")
        _add(entry, "published", _instant(row.public_from))
        _add(entry, "updated", _instant(_updated(row)))
        _add(ET.SubElement(entry, "author"), "name", author)
        for tag in row.tags:
            _add(entry, "category", term=tag)
        _add(entry, "summary", row.excerpt, type="text")
        if row.html is not None:
            _add(entry, "content", row.html, type="html")


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> None:
    child = ET.SubElement(parent, name, attributes)
    if text is not None:
        child.text = _NOT_IN_XML.sub("", text)


def _updated(row: FeedRow) -> datetime:
    """A scheduled post was written before it was published."""
    return max(row.updated_at, row.public_from)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
