"""The lines of a domain outside its folder: in ``DOMAINS`` and among the layers of the imports."""

import re
from functools import partial
from pathlib import Path

_DOMAINS = re.compile(r"^DOMAINS = \(([^)]*)\)", re.MULTILINE)
_LAYER = re.compile(r"^    auth.*$", re.MULTILINE)
_WIDTH = 120


def wiring_of(root: Path) -> list[Path]:
    """The files that name domains."""
    return [root / "app/asgi.py", root / ".importlinter"]


def wire(root: Path, name: str) -> None:
    """Adds the domain; the formatter puts its import into order."""
    wiring, layers = wiring_of(root)
    text, line = wiring.read_text(), f"from app.domain.{name} import {name}\n"
    text = text.replace("from app.domain.", f"{line}from app.domain.", 1)
    wiring.write_text(_DOMAINS.sub(partial(_with, name), text, count=1))
    layers.write_text(_LAYER.sub(rf"\g<0> | ({name})", layers.read_text(), count=1))


def unwire(root: Path, names: list[str]) -> None:
    """Removes the domains."""
    wiring, layers = wiring_of(root)
    text, order = wiring.read_text(), layers.read_text()
    for each in names:
        text = _DOMAINS.sub(
            partial(_without, each), text.replace(f"from app.domain.{each} import {each}\n", ""), count=1
        )
        order = re.sub(rf"^    \({each}\)\n| \| \({each}\)|(?<=    )\({each}\) \| ", "", order, flags=re.MULTILINE)
    wiring.write_text(text)
    layers.write_text(order)


def _with(name: str, match: re.Match[str]) -> str:
    inner = match[1]
    return f"DOMAINS = ({inner}    {name},\n)" if "\n" in inner else f"DOMAINS = ({inner}, {name})"


def _without(name: str, match: re.Match[str]) -> str:
    """On one line where it fits, as the formatter writes it."""
    inner = re.sub(rf"^    {name},[^\n]*\n|(?:, |^){name}(?=,|$)", "", match[1], flags=re.MULTILINE).removeprefix(", ")
    line = f"DOMAINS = ({', '.join(inner.replace(',', ' ').split())})"
    return f"DOMAINS = ({inner})" if "#" in inner or len(line) > _WIDTH else line
