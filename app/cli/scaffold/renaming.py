"""Gives a tree another name: texts, files and folders, packages, images, units."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.cli.scaffold.formatting import require_ruff, tidy
from app.cli.scaffold.product import Product
from app.config import Settings
from app.lib.cli.errors import CommandFailed

LICENSE = "LICENSE"
KIT_CHANGES = "CHANGELOG.kit.md"
"""The kit's changelog in a project of another name: kept as it is, with the name that it has."""
GUIDE = Path("docs/releases.md")
"""Explains how a project takes later versions: by a branch of the kit, from a remote."""
UPSTREAM, KIT = "upstream", "kit"
_COMMAND = re.compile(r"^uv run app rename .+$", re.MULTILINE)
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
    renamed, before_color = _renamer(old, new), Settings().mail_color
    color = color or before_color
    listed, folders = files_of(root), set[Path]()
    changed = _begin_changelog(root)
    for path in listed:
        before = _text_of(root / path)
        if before is None or path.name == KIT_CHANGES:
            continue
        after = _licensed(before, renamed, new) if path.name == LICENSE else renamed(before)
        after = after.replace(before_color, color)
        if path == GUIDE:
            after = _COMMAND.sub(command_for(new, color), after)
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


def command_for(product: Product, color: str) -> str:
    """The whole command that names a tree so. ``GUIDE`` repeats it on each later version."""
    return shlex.join(["uv", "run", "app", "rename", product.name, "--slug", product.slug, "--color", color, "--yes"])


def _begin_changelog(root: Path) -> list[Path]:
    """The first name: what the kit has changed is kept as it is, and the project begins a list of its own."""
    own, kit = root / "CHANGELOG.md", root / KIT_CHANGES
    if kit.exists() or not own.exists():
        return []
    own.rename(kit)
    head = kit.read_text(encoding="utf-8").partition("\n## ")[0]
    own.write_text(f"{head}\n## [Unreleased]\n\n### Added\n- Everything that `{KIT_CHANGES}` has.\n", encoding="utf-8")
    return [kit]


def forget_installed(root: Path, *products: Product) -> None:
    """Takes the packages of these names out of the environment that runs this, if they are the tree's. Both names own
    `app`: were the old one removed after the new one is installed, it would take `app` with it.
    """
    uv = os.environ.get("UV") or shutil.which("uv")  # `uv run` sets it
    is_own = any(
        f'"{root.as_uri()}"' in path.read_text()
        for product in products
        for path in Path(sysconfig.get_path("purelib")).glob(f"{product.snake}-*.dist-info/direct_url.json")
    )
    if uv and is_own:
        names = [product.slug for product in products]
        command = [uv, "pip", "uninstall", "--quiet", "--python", sys.executable, *names]
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - our own words


def start_history(root: Path, message: str, upstream: str) -> bool:
    """A first commit, at which the branch of the kit begins, and where the kit's later versions come from. Returns
    whether git has made it: it needs to know a person.
    """
    git(root, "remote", "add", UPSTREAM, upstream)
    git(root, "add", "--all")
    try:
        git(root, "commit", "--quiet", "--no-verify", "--message", message)
    except CommandFailed:
        return False
    git(root, "branch", KIT)
    return True


def address_of(root: Path) -> str:
    """Where a tree comes from: its own remote, or its folder."""
    return git(root, "remote", "get-url", "origin").strip() if "origin" in git(root, "remote").split() else str(root)


def files_of(root: Path) -> list[Path]:
    """What git knows, and what it does not ignore. Raises ``CommandFailed`` outside a repository."""
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [Path(name) for name in sorted(set(listed) - {""}) if (root / name).exists()]


def git(root: Path, *arguments: str, **environ: str) -> str:
    """What a command of git says. Raises ``CommandFailed``."""
    try:
        return subprocess.run(  # noqa: S603 - our own words
            ["git", *arguments],  # noqa: S607 - it is on the PATH
            cwd=root,
            env={**os.environ, **environ},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
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
