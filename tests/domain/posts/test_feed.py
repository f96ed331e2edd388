"""GET /feed.atom: RFC 4287, and nothing in it that a reader must fear."""

from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import httpx
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.posts.writing import FEED, draft, scheduled, write
from tests.support.counting import counted_statements
from tests.support.people import People

ATOM = "{http://www.w3.org/2005/Atom}"


async def feed_of(client: httpx.AsyncClient) -> ET.Element:
    response = await client.get(FEED)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/atom+xml")
    root = ET.fromstring(response.content)  # noqa: S314 - our own document
    check(root)
    return root


def text(element: ET.Element, name: str) -> str:
    found = element.findall(f"{ATOM}{name}")
    assert len(found) == 1, name
    return found[0].text or ""


def check(root: ET.Element) -> None:
    """What RFC 4287 asks of a feed and of each entry."""
    assert root.tag == f"{ATOM}feed"
    [link] = root.findall(f"{ATOM}link")
    assert (link.get("rel"), link.get("href")) == ("self", text(root, "id"))
    assert text(root, "title")
    instants = [text(root, "updated")]
    entries = root.findall(f"{ATOM}entry")
    for entry in entries:
        assert text(entry, "id").startswith("urn:uuid:")
        [alternate] = entry.findall(f"{ATOM}link")
        assert alternate.get("rel") == "alternate"
        [person] = entry.findall(f"{ATOM}author")
        assert text(person, "name")
        instants += [text(entry, "updated"), text(entry, "published")]
    assert all(each.endswith("Z") and datetime.fromisoformat(each) for each in instants)
    assert len({text(entry, "id") for entry in entries}) == len(entries)


async def test_an_empty_feed_is_a_feed(client: httpx.AsyncClient) -> None:
    assert (await feed_of(client)).findall(f"{ATOM}entry") == []


async def test_the_newest_posts_are_in_it(people: People, app: Litestar) -> None:
    writer = await people.create(name="Ada Lovelace")
    async with people.client(writer) as calls:
        for number in range(22):
            at = utc_now() - timedelta(hours=number)
            await write(calls, f"Post {number}", published_at=at.isoformat(), tags=["sea"])
        await draft(calls, "Draft")
        await scheduled(calls, "Scheduled")
    async with people.client() as client:
        with counted_statements(app) as statements:
            root = await feed_of(client)
    entries = root.findall(f"{ATOM}entry")

    assert [text(entry, "title") for entry in entries] == [f"Post {number}" for number in range(20)]
    assert len(statements) == 2
    assert {text(entry.find(f"{ATOM}author") or entry, "name") for entry in entries} == {"Ada Lovelace"}
    assert entries[0].find(f"{ATOM}category").attrib == {"term": "sea"}  # type: ignore[union-attr]  # fails where it is not
    assert writer.email not in ET.tostring(root, "unicode")


async def content_of(calls: httpx.AsyncClient, client: httpx.AsyncClient, content: str, **members: Any) -> str:
    await write(calls, content=content, **members)
    entry = (await feed_of(client)).findall(f"{ATOM}entry")[0]
    return text(entry, "content").strip()


async def test_markdown_leaves_as_html(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    html = await content_of(calls, client, "# Day\n\n*Wind* & [waves](https://example.com)\n\n- one")

    assert html == (
        '<h1>Day</h1>\n<p><em>Wind</em> &amp; <a href="https://example.com" rel="noopener noreferrer">waves</a></p>\n'
        "<ul>\n<li>one</li>\n</ul>"
    )


async def test_nothing_dangerous_leaves(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    html = await content_of(
        calls,
        client,
        "<script>alert(1)</script><img src=x onerror=alert(1)><iframe src=//x></iframe><style>a{}</style>\n\n"
        "[a](javascript:alert(1)) [b](data:text/html,x) <a href='JaVaScRiPt:alert(1)' onclick=x>c</a>\n\n"
        "<svg/onload=alert(1)> ]]> <form action=//x><input>",
    )

    found = Elements()
    found.feed(html)
    assert found.names <= {"p", "a", "img"}
    assert found.attributes <= {"src", "rel"}


class Elements(HTMLParser):
    """What a browser would make of a text: the names of its elements and of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


async def test_what_xml_cannot_say_is_left_out(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    html = await content_of(calls, client, "a\ufffeb\uffffc <&>", title="T\ufffe <b>&amp;")

    assert html == "<p>abc &lt;&amp;&gt;</p>"
    assert text((await feed_of(client)).findall(f"{ATOM}entry")[0], "title") == "T <b>&amp;"
