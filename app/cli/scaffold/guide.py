"""Keeps the code that ``docs/add-a-domain.md`` shows as it is written."""

import re
import shlex
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path

from app.cli.scaffold.fields import parse_field
from app.cli.scaffold.formatting import tidy
from app.cli.scaffold.naming import names_of
from app.cli.scaffold.writing import render

GUIDE = Path("docs/add-a-domain.md")
_COMMAND = re.compile(r"^uv run app new domain (.+)$", re.MULTILINE)
_BLOCK = re.compile(
    r"^`(?P<path>(?:app|tests)/domain/[\w/]+\.py)`\n\n```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def render_guide(root: Path) -> str:
    """The guide with each block as the command at its head writes the file that is named above the block."""
    text = (root / GUIDE).read_text()
    match = _COMMAND.search(text)
    if match is None:
        raise ValueError(f"{GUIDE} begins with no 'uv run app new domain'")
    name, *given = shlex.split(match[1])
    options = {each: f"--{each}" in given for each in ("owned", "event", "job")}
    fields = [parse_field(field) for option, field in pairwise(given) if option == "--field"]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(root / "pyproject.toml", folder)  # what the formatter knows
        files = render(Path(folder), names_of(name, None), fields, options)
        for path, code in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
        tidy(Path(folder), [*files])
        written = {str(path.relative_to(folder)): path.read_text() for path in files}
    return _BLOCK.sub(lambda found: f"`{found['path']}`\n\n```python\n{written[found['path']]}```", text)
