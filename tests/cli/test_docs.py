"""``app docs``: what is written from the code is what is committed."""

from pathlib import Path
from shutil import copy, copytree

from tests.cli.conftest import Cli, refusal

DOCS = Path(__file__).parents[2] / "docs"


def test_documents_are_fresh_and_stale_ones_are_found(cli: Cli, tmp_path: Path) -> None:
    copytree(DOCS / "decisions", tmp_path / "docs/decisions")
    for name in ("docs/add-a-domain.md", "pyproject.toml"):  # its code is what the generator writes
        copy(DOCS.parent / name, tmp_path / name)
    errors = tmp_path / "docs/reference/errors.md"
    errors.parent.mkdir()
    errors.write_text("# Error codes\n")

    written = cli("docs", "export", PORT="9000", DOCS="off").stdout.split()
    assert {"docs/openapi.json", "docs/reference/errors.md", "docs/reference/settings.md"} <= set(written)
    made = {each.relative_to(tmp_path): each.read_text() for each in tmp_path.rglob("*.*") if each.is_file()}
    stale = [str(path) for path, text in made.items() if text != (DOCS.parent / path).read_text()]
    assert not stale, f"run `just openapi` and commit what it writes: {stale}"

    assert cli("docs", "export", "--check").exit_code == 0
    errors.write_text("# Error codes\n")
    assert "Stale: docs/reference/errors.md." in refusal(cli("docs", "export", "--check"), 1)
    assert cli("docs", "export").stdout == "docs/reference/errors.md\n"


def test_documents_are_written_into_a_checkout_only(cli: Cli, tmp_path: Path) -> None:
    assert "checkout" in refusal(cli("docs", "export"), 1)
    assert list(tmp_path.iterdir()) == []
