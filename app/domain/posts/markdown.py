"""Markdown as HTML for readers elsewhere, and its beginning as plain text."""

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_EXCERPT = 200
_READ_FOR_EXCERPT = 4_000
MAX_HTML_SOURCE = 20_000
"""Characters. Longer posts have no HTML: hostile Markdown takes time that grows with the square of its length."""

_markdown = MarkdownIt("commonmark")


def render(content: str) -> tuple[str, str | None]:
    """The excerpt, and HTML that is safe to show: no scripts, styles or handlers, links to the web and by mail only.

    Relative addresses are left out: who reads the HTML elsewhere cannot know what they were relative to.
    """
    if len(content) > MAX_HTML_SOURCE:
        return _excerpt(_markdown.parse(content[:_READ_FOR_EXCERPT])), None
    tokens = _markdown.parse(content)
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return _excerpt(tokens), nh3.clean(html, url_schemes={"http", "https", "mailto"}, url_relative="deny")


def _excerpt(tokens: list[Token]) -> str:
    """The beginning in one line, cut between words. Code blocks and raw HTML are left out."""
    text = ""
    for token in tokens:
        if token.children and len(text) <= MAX_EXCERPT:
            text = " ".join(f"{text} {_plain(token.children)}".split())
    if len(text) <= MAX_EXCERPT:
        return text
    cut = text[: MAX_EXCERPT - 1]
    return f"{cut.rpartition(' ')[0].rstrip() or cut}…"


def _plain(tokens: list[Token]) -> str:
    parts: list[str] = []
    for token in tokens:
        if token.type in {"softbreak", "hardbreak"}:
            parts.append(" ")
        elif token.type in {"text", "code_inline", "text_special"}:
            parts.append(token.content)
        elif token.type == "image" and token.children:
            parts.append(_plain(token.children))
    return "".join(parts)
