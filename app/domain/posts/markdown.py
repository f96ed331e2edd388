"""Markdown (CommonMark) as HTML for readers elsewhere, and its beginning as plain text."""

from collections.abc import Iterable
from itertools import accumulate

import nh3
import pyromark
from pyromark.event import Event

MAX_EXCERPT = 200
MAX_HTML_SOURCE = 20_000
"""Characters. Longer posts have no HTML."""
_MAX_DEPTH = 50
"""Nor have posts with lists and quotes nested deeper: cleaning takes time that grows with the square of the depth."""


def render(content: str) -> tuple[str, str | None]:
    """The excerpt, and HTML that is safe to show: no scripts, styles or handlers, links to the web and by mail only.

    Relative addresses are left out: who reads the HTML elsewhere cannot know what they were relative to.
    """
    events = tuple(pyromark.events(content))
    steps = (("Start" in event) - ("End" in event) for event in events if isinstance(event, dict))
    if len(content) > MAX_HTML_SOURCE or max(accumulate(steps), default=0) > _MAX_DEPTH:
        return _excerpt(events), None
    html = nh3.clean(pyromark.html(content), url_schemes={"http", "https", "mailto"}, url_relative="deny")
    return _excerpt(events), html


def _excerpt(events: Iterable[Event]) -> str:
    """The beginning in one line, cut between words. Code blocks and raw HTML are left out."""
    text, in_code = "", False
    for event in events:
        match event:
            case {"Start": {"CodeBlock": _}}:
                in_code = True
            case {"End": "CodeBlock"}:
                in_code = False
            case {"Text": str(part)} if not in_code:
                text += part
            case {"Code": str(part)}:
                text += part
            case "SoftBreak" | "HardBreak" | {"End": "Paragraph" | "Item" | {"Heading": _}}:
                text += " "
                if len(text) > 2 * MAX_EXCERPT and len(" ".join(text.split())) > MAX_EXCERPT:
                    break
            case _:
                pass
    text = " ".join(text.split())
    if len(text) <= MAX_EXCERPT:
        return text
    cut = text[: MAX_EXCERPT - 1]
    return f"{cut.rpartition(' ')[0].rstrip() or cut}…"
