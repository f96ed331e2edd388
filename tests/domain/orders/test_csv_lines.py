import csv
import io
from decimal import Decimal

import pytest

from app.domain.orders.services.export import csv_lines


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "\uff1d1"]
)
def test_text_that_would_be_a_formula_is_text(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(csv_lines([[text]]).decode(), newline=""))

    assert cell == f"'{text}"


def test_everything_else_is_as_it_was() -> None:
    rows: list[list[object]] = [["a, b", 'say "x"', "1=1", ""], [Decimal("-1.50"), -3, None, "línea\nnext"]]

    lines = csv_lines(rows)

    assert lines.startswith(b'"a, b","say ""x""",1=1,\r\n-1.50,-3,,')
    assert list(csv.reader(io.StringIO(lines.decode(), newline=""))) == [
        ["a, b", 'say "x"', "1=1", ""],
        ["-1.50", "-3", "", "línea\nnext"],
    ]
