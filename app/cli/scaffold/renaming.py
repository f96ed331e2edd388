"""Gives a tree another name: texts, files and folders, packages, images, units."""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.cli.scaffold.formatting import require_ruff, tidy
from app.cli.scaffold.product import Product
from app.config import Settings
from app.lib.cli.errors import CommandFailed

LICENSE = "LICENSE"
_HOLDER = re.compile(r"^Copyright \(c\) .+\n", re.MULTILINE)


def copy_tree(root: Path, target: Path) -> None:
    """What git knows, and what it does not ignore, into a repository of its own."""
    for path in files_of(root):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, target / path, follow_symlinks=False)
    git(target, "init", "--quiet", "--initial-branch", "main")


def rename_tree(root: Path, old: Product, new: Product, color: str | None) -> list[Path]:
    """Returns the files that have changed or moved. Raises ``CommandFailed`` outside a repository."""
    require_ruff()
    renamed = _renamer(old, new)
    changed: list[Path] = []
    folders: set[Path] = set()
    for path in files_of(root):
        before = _text_of(root / path)
        if before is None:
            continue
        after = _licensed(before, renamed, new) if path.name == LICENSE else renamed(before)
        after = after.replace(Settings().mail_color, color) if color else after
        target = Path(renamed(str(path)))
        if (after, target) == (before, path):
            continue
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(root / target)
        (root / target).write_text(after, encoding="utf-8")
        folders |= {each for each in path.parents if renamed(each.name) != each.name}
        changed.append(root / target)
    for folder in folders:  # what is left there is made, and made again
        shutil.rmtree(root / folder, ignore_errors=True)
    tidy(root, changed)
    return changed


def start_history(root: Path, old: Product, new: Product, version: str) -> bool:
    """A changelog that begins here, and a first commit. Returns whether git has made it: it needs to know a person."""
    head = (root / "CHANGELOG.md").read_text().partition("\n## ")[0]
    (root / "CHANGELOG.md").write_text(
        f"{head}\n## [Unreleased]\n\n### Added\n- Everything, from {old.name} {version}.\n"
    )
    git(root, "add", "--all")
    try:
        git(
            root,
            "commit",
            "--quiet",
            "--no-verify",
            "--message",
            f"project: start {new.name} from {old.name} {version}",
        )
    except CommandFailed:
        return False
    return True


def files_of(root: Path) -> list[Path]:
    """What git knows, and what it does not ignore. Raises ``CommandFailed`` outside a repository."""
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [Path(name) for name in sorted(set(listed) - {""}) if (root / name).exists()]


def git(root: Path, *arguments: str) -> str:
    """What a command of git says. Raises ``CommandFailed``."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603, S607 - our own words; git is on the PATH
    except (OSError, subprocess.CalledProcessError) as exc:
        reason = str(getattr(exc, "stderr", exc)).strip().partition("\n")[0]
        raise CommandFailed(f"git {arguments[0]} failed: {reason}.", "The tree has to be a git repository.") from exc


def _text_of(path: Path) -> str | None:
    """None for links, and for what is no text."""
    try:
        return None if path.is_symlink() else path.read_bytes().decode()
    except UnicodeDecodeError:
        return None


def _licensed(text: str, renamed: Callable[[str], str], new: Product) -> str:
    """The first holder of the copyright stays, as the licence demands; the product's own follows."""
    first, *others = _HOLDER.findall(text)
    own = [renamed(each) for each in others] or [f"Copyright (c) {datetime.now(UTC):%Y} The {new.name} authors\n"]
    return text.replace("".join((first, *others)), "".join((first, *own)), 1)


def _renamer(old: Product, new: Product) -> Callable[[str], str]:
    """Replaces each form of the name by the same form of the other."""
    forms: Sequence[str] = sorted({old.name, old.slug, old.snake, old.pascal, old.constant}, key=len, reverse=True)
    # After a letter it is a part of another word, unless that is the n of a \\n.
    pattern = re.compile(rf"(?<!(?<!\\)[A-Za-z])(?:{'|'.join(map(re.escape, forms))})(?![a-z])")

    def replacement(match: re.Match[str]) -> str:
        text, after = match[0], match.string[match.end() : match.end() + 1]
        in_a_name = "_" in (after, match.string[match.start() - 1 : match.start()])
        if text == old.constant and in_a_name:
            return new.constant
        if text in {old.name, old.pascal} and text not in {old.slug, old.snake}:
            return new.pascal if text != old.name or after.isalnum() or in_a_name else new.name
        return new.snake if text == old.snake and (text != old.slug or in_a_name) else new.slug

    return lambda text: pattern.sub(replacement, text)
