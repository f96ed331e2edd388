"""Lists that are kept by hand: a failure says what to add, and where."""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def agree(found: Iterable[str], listed: Iterable[str], name: str) -> None:
    """The list of this name, in the module that calls, has exactly what was found."""
    place = Path(inspect.stack()[1].filename)
    source = place.read_text().splitlines()
    line = next(number for number, text in enumerate(source, start=1) if re.match(rf"\s*{name}\b.* = ", text))
    where = f"{name} in {place.relative_to(ROOT)}:{line}"
    wanted, kept = set(found), set(listed)
    assert wanted <= kept, f"add to {where}: {', '.join(sorted(wanted - kept))}"
    assert kept <= wanted, f"not there any more, so remove from {where}: {', '.join(sorted(kept - wanted))}"
