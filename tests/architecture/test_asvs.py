"""docs/security.md says what the marks of the tests say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_line_names_tests_that_show_it_and_no_row_of_the_table_is_stale() -> None:
    checked = subprocess.run(  # noqa: S603 - our own tool
        [sys.executable, ROOT / "tools" / "asvs.py", "--check"], capture_output=True, check=False, text=True
    )

    assert checked.returncode == 0, checked.stdout
