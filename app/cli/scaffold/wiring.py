"""The lines of a domain outside its folder: in ``DOMAINS`` and among the layers of the imports."""

import re
from pathlib import Path

_DOMAINS = re.compile(r"^DOMAINS = \(([^)]*)\)", re.MULTILINE)
_IMPORT = re.compile(r"^from app\.domain\.\w+ import \w+\n", re.MULTILINE)
_LAYER = re.compile(r"^    auth.*$", re.MULTILINE)
_WIDTH = 120


def wire(root: Path, name: str) -> list[Path]:
    """Adds the domain. Returns the files that it has changed."""
    wiring, layers = _files(root)
    text, line = wiring.read_text(), f"from app.domain.{name} import {name}\n"
    before = [each for each in _IMPORT.findall(text) if each < line][-1]
    wiring.write_text(_with_domains(text.replace(before, before + line, 1), [*_domains_of(text), name]))
    layers.write_text(_LAYER.sub(rf"\g<0> | ({name})", layers.read_text(), count=1))
    return [wiring, layers]


def unwire(root: Path, names: list[str]) -> None:
    """Removes the domains."""
    wiring, layers = _files(root)
    text, order = wiring.read_text(), layers.read_text()
    for each in names:
        text = text.replace(f"from app.domain.{each} import {each}\n", "")
        order = re.sub(rf"^    \({each}\)\n| \| \({each}\)|(?<=    )\({each}\) \| ", "", order, flags=re.MULTILINE)
    wiring.write_text(_with_domains(text, [each for each in _domains_of(text) if each not in names]))
    layers.write_text(order)


def _files(root: Path) -> tuple[Path, Path]:
    return root / "app/asgi.py", root / ".importlinter"


def _domains_of(text: str) -> list[str]:
    match = _DOMAINS.search(text)
    return re.findall(r"\w+", match[1]) if match else []


def _with_domains(text: str, names: list[str]) -> str:
    """As the formatter writes it."""
    line = f"DOMAINS = ({', '.join(names)})"
    if len(line) > _WIDTH:
        line = "DOMAINS = (\n" + "".join(f"    {each},\n" for each in names) + ")"
    return _DOMAINS.sub(line, text, count=1)
