"""GET /feed.atom: RFC 4287, and safe for readers."""

from datetime import datetime, timedelta
from html.parser import HTMLParser
from time import process_time
from typing import Any
from xml.etree import ElementTree as ET

import httpx
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.accounts.answers import is_refused
from tests.domain.posts.writing import FEED, POSTS, draft, scheduled, write
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


FORBIDDEN = {"script", "style", "iframe", "object", "embed", "form", "svg", "math", "base", "meta", "link", "button"}


async def test_no_trick_gets_through(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    tricks = [
        "[a](javascript:alert(1))",
        "[a](JaVa\tScRiPt:alert(1))",
        "[a](&#106;avascript:alert(1))",
        "[a](vbscript:x) [b](file:///etc/passwd) [c](data:text/html;base64,PHNjcmlwdD4=)",
        "![a](data:image/svg+xml;base64,PHN2Zz4=)",
        "![a](javascript:alert(1))",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
        '[a](https://example.com "x\\" onmouseover=alert(1) y=\\"")',
        '<a href="https://example.com" onmouseover="alert(1)" style="x:expression(1)">a</a>',
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<svg><script>alert(1)</script><a xlink:href='javascript:alert(1)'>x</a></svg>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<object data=x></object><embed src=x><base href=//x><meta http-equiv=refresh content=0><link rel=x href=//x>",
        "<form><button formaction=javascript:alert(1)>x</button></form>",
        "<!--><img src=x onerror=alert(1)>-->",
        "`<img src=x onerror=alert(1)>`",
        "```html\n<script>alert(1)</script>\n```",
    ]
    for content in tricks:
        found = Elements()
        found.feed(await content_of(calls, client, f"{content}\n\nAfter."))

        assert not found.names & FORBIDDEN, content
        assert not {name for name in found.attributes if name.startswith("on") or name in {"style", "formaction"}}
        assert all(url.startswith(("https://", "mailto:", "x")) for url in found.urls), found.urls


BOMBS = {
    "quotes": "> " * 50_000,
    "lists": "\n".join("  " * level + "- a" for level in range(300)),
    "brackets": "[" * 100_000,
    "images": "![" * 50_000,
    "emphasis": "*a_" * 33_000,
    "elements": "<div>" * 20_000,
    "comments": "<!--" * 25_000,
    "ticks": " ".join("`" * length for length in range(1, 440)),
    "references": "[a]: /u\n" * 12_000,
    "entities": "&#" * 50_000,
}


async def test_hostile_markdown_is_read_when_it_is_written(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, app: Litestar
) -> None:
    async def seconds() -> float:
        begin = process_time()
        with counted_statements(app) as statements:
            for number in range(5):  # each another one, because answers are kept for a moment
                feed = await client.get(f"{FEED}?number={number}")
                check(ET.fromstring(feed.content))  # noqa: S314 - our own document
        assert len(statements) == 10
        return process_time() - begin

    for name in BOMBS:
        await write(calls, f"no {name}", content="word " * 4_000)
    pace = await seconds()
    for name, content in BOMBS.items():
        await write(calls, name, content=content[:20_000])

    assert await seconds() < 10 * pace


async def test_of_long_posts_there_is_a_summary(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    assert len(await content_of(calls, client, "word " * 4_000)) == len(f"<p>{'word ' * 4_000}</p>") - 1
    await write(calls, content="word " * 4_000 + "!", excerpt="In short.")
    entry = (await feed_of(client)).findall(f"{ATOM}entry")[0]

    assert (entry.findall(f"{ATOM}content"), text(entry, "summary")) == ([], "In short.")


async def test_addresses_are_whole_or_left_out(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    found = Elements()
    content = "[a](/etc) [b](//x.example) [c](?q) [d](#e) ![f](../g.png) [h](i.html) [j](https://k.example/l?m#n)"
    found.feed(await content_of(calls, client, content))

    assert found.urls == ["https://k.example/l?m#n"]


async def test_it_is_what_feed_readers_ask_for(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await write(calls)
    for accept in ("application/atom+xml", "application/xml;q=0.9, */*;q=0.8", "application/*"):
        response = await client.get(FEED, headers={"Accept": accept})
        assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (
            200,
            "application/atom+xml",
        )
    for accept in ("text/html", "application/json", "*/*, application/atom+xml;q=0"):
        assert is_refused(await client.get(FEED, headers={"Accept": accept}), 406, "not_acceptable")


async def test_a_current_feed_is_not_sent_again(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls)
    etag = (await client.get(FEED)).headers["etag"]
    for header in (etag, f'"x", {etag}', "*"):
        unchanged = await client.get(FEED, headers={"If-None-Match": header})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    several = await client.get(FEED, headers=[("If-None-Match", etag), ("If-None-Match", '"x"')])
    assert bool(several.content) == (several.status_code == 200)

    for path, body in (("profile", {"first_name": "Ada", "last_name": "Lovelace"}), ("profile", {})):
        assert (await calls.put(f"/api/v1/users/me/{path}", json=body)).status_code == 200
        changed = await client.get(FEED, headers={"If-None-Match": etag})
        assert changed.status_code == 200
        etag = changed.headers["etag"]
    await calls.post(f"{POSTS}/{post['id']}/unpublish")
    assert (await client.get(FEED, headers={"If-None-Match": etag})).status_code == 200
    assert (await feed_of(client)).findall(f"{ATOM}entry") == []


class Elements(HTMLParser):
    """What a browser would make of a text: the names of its elements and of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.urls += [value or "" for name, value in attrs if name in {"href", "src"}]


async def test_what_xml_cannot_say_is_left_out(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    html = await content_of(calls, client, "a\ufffeb\uffffc <&>", title="T\ufffe <b>&amp;")

    assert html == "<p>abc &lt;&amp;&gt;</p>"
    assert text((await feed_of(client)).findall(f"{ATOM}entry")[0], "title") == "T <b>&amp;"
