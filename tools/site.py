"""Makes the documentation site with Zensical: `python tools/site.py`, or `python tools/site.py serve` while you write.

The pages stay where they are in the repository. Zensical wants one folder and follows links to files, so each page, and
each other file that a page links to, gets a link below build/pages. A page or an anchor that does not exist fails the
build, by Zensical; any other file that does not exist, here.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("*.md", "docs/*.md", "docs/*/*.md", "clients/*/README.md")
BUILD = ROOT / "build"

_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s#]+)(?:#[^()\s]*)?\)")


def pages() -> list[Path]:
    """README.md is the first page of the site. A project of another name keeps the kit's changelog, which is none."""
    found = [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if path.name != "CHANGELOG.kit.md"]


def linked_files(page: Path) -> Iterator[Path]:
    """The files of the repository that a page links to, existing or not."""
    for target in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target and not target.startswith(("mailto:", "/")):
            yield (page.parent / target).resolve()


def dead_links(page: Path) -> Iterator[str]:
    """Those that lead to no file; a folder has no page on the site."""
    for target in linked_files(page):
        if not target.is_file():
            yield f"{page.relative_to(ROOT)}: there is no file {target.relative_to(ROOT)}"


def main() -> None:
    """Ends with the status of Zensical, or 1 when a link leads nowhere."""
    shutil.rmtree(BUILD / "pages", ignore_errors=True)
    if dead := [each for page in pages() for each in dead_links(page)]:
        sys.exit("\n".join(dead))
    others = {target for page in pages() for target in linked_files(page) if target.suffix != ".md"}
    for path in {*pages(), *others}:
        place = BUILD / "pages" / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    command = ["zensical", *(sys.argv[1:] or ["build", "--clean", "--strict"])]
    sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)  # noqa: S603  # the developer's own words


if __name__ == "__main__":
    main()
