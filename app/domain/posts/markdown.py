"""Markdown as HTML, for those who read posts outside, and as plain text."""

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_EXCERPT = 200
_READ_FOR_EXCERPT = 4_000

_markdown = MarkdownIt("commonmark")


def to_html(content: str) -> str:
    """HTML that may be shown to anybody: no scripts, no styles, no handlers, no links but to the web and by mail.

    Relative addresses are left out: whoever reads it elsewhere cannot know what they were relative to.
    """
    return nh3.clean(_markdown.render(content), url_schemes={"http", "https", "mailto"}, url_relative="deny")


def to_excerpt(content: str) -> str:
    """The beginning as plain text in one line, cut between words. Code blocks and raw HTML are left out."""
    blocks = [_plain(token.children) for token in _markdown.parse(content[:_READ_FOR_EXCERPT]) if token.children]
    text = " ".join(" ".join(blocks).split())
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
