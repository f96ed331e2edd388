"""CSV (RFC 4180) that spreadsheets show and never run."""

import csv
import io
from collections.abc import Iterable, Sequence

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the start of a formula; the last ones are the wide forms of the first (OWASP)."""


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Lines of CSV in UTF-8. Text that would be a formula gets an apostrophe in front (OWASP, CSV injection); numbers
    that are numbers stay as they are.
    """
    text = io.StringIO()
    csv.writer(text).writerows([_inert(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS_FORMULA) else cell
