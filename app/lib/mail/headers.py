"""Header fields beyond ASCII (RFC 2047), the same on every version of Python.

The encoder of ``email.policy`` loses spaces between encoded words, or leaves out the white space that has to separate
them, depending on the version. Its predecessor, ``email.header.Header``, does neither, so it writes the words here.
"""

import re
from email.header import Header
from email.headerregistry import AddressHeader, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.utils import quote
from typing import Any

_LINE = 76
_LONGEST_WORD = 60
"""Characters. A longer one has no place in a line next to the name of the field."""
_ATOMS = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?: [\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)


class _Text(UnstructuredHeader, BaseHeader):
    """Free text, also where it looks like encoded words."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        super().parse(value, kwds)
        kwds["decoded"] = value

    def fold(self, *, policy: Any) -> str:
        text = str(self)
        words = text.split()
        is_plain = _is_plain(text) and text == " ".join(words) and max(map(len, words), default=0) <= _LONGEST_WORD
        charset = "us-ascii" if is_plain else "utf-8"
        return f"{self.name}: {_words(self.name, text, charset, policy.linesep)}{policy.linesep}"


class _Mailbox(AddressHeader):
    """One address with its display name."""

    name: str

    def fold(self, *, policy: Any) -> str:
        (address,) = self.addresses
        if not address.display_name:
            return f"{self.name}: {address.addr_spec}{policy.linesep}"
        name = address.display_name
        if not _is_plain(name):
            name = _words(self.name, name, "utf-8", policy.linesep)
        elif not _ATOMS.fullmatch(name):
            name = f'"{quote(name)}"'
        line = f"{self.name}: {name}"
        target = f"<{address.addr_spec}>"
        is_short = len(line.rpartition(policy.linesep)[2]) + 1 + len(target) <= _LINE
        return f"{line}{'' if is_short else policy.linesep} {target}{policy.linesep}"


class _WholeLine(UnstructuredHeader, BaseHeader):
    """Not folded: a URL that has been folded is a broken one in many a mail program. 998 octets may be in a line."""

    def fold(self, *, policy: Any) -> str:
        return f"{self.name}: {self}{policy.linesep}"


def header_factory() -> HeaderRegistry:
    """Makes the header fields of an ``EmailPolicy``."""
    registry = HeaderRegistry()
    registry.map_to_type("subject", _Text)
    mailbox: Any = _Mailbox  # becomes a BaseHeader when one is made
    for name in ("from", "to"):
        registry.map_to_type(name, mailbox)
    for name in ("list-unsubscribe", "list-unsubscribe-post"):
        registry.map_to_type(name, _WholeLine)
    return registry


def _is_plain(text: str) -> bool:
    """Whether it is ASCII that nothing takes for encoded words."""
    return text.isascii() and "=?" not in text


def _words(header: str, text: str, charset: str, line_end: str) -> str:
    return Header(text, charset, maxlinelen=_LINE, header_name=header).encode(linesep=line_end)
