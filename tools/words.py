"""Refuses words that make this project hard to read for people who learnt English late.

Prints each place in code and documents with better words and ends with status 1. `python tools/words.py PATH ...` reads
only these files and folders; `--subjects` reads the subjects of the commits that are in no other branch yet.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BETTER = {
    "told": "notified, shown, informed",
    "tells of": "reports, describes",
    "whoever": "the caller, anyone who",
    "whatever": "any, all that",
    "nobody": "no user, no one",
    "somebody": "a user, a person, another user",
    "anew": "again",
    "beside": "next to, in addition to",
    "meanwhile": "in the meantime",
    "so many": "N, the number of",
    "of which": "a sentence of its own",
    "is to be": "must be, will be",
}
ALLOWED = {("app/lib/security/common_passwords.txt", "whatever"): "passwords that people choose"}
"""By file and word, with the reason."""

READ = (".ci", "app", "benchmarks", "clients", "deploy", "docs", "migrations", "tests", "tools", "*.md", "justfile",
        "Containerfile", ".containerignore", ".env.example", ".importlinter", "pyproject.toml", "dev")  # fmt: skip
NOT_READ = {"node_modules", "generated", "dist", "__pycache__", "package-lock.json", "words.py", "test_words.py"}
BINARY = {".gz", ".png", ".pyc", ".woff2"}

_EITHER = "|".join(word.replace(" ", r"(?:\s|#)+") for word in BETTER)
_IN_NAMES = "|".join(word.title() for word in BETTER if " " not in word)
WORDS = re.compile(rf"(?<![A-Za-z])(?i:{_EITHER})(?![a-z])|(?<=[a-z])(?:{_IN_NAMES})(?![a-z])")
"""Whole words, also over the end of a line, and as parts of names: `was_told`, `toldAt`, `WebhookTold`."""

SUBJECT = re.compile(r"[a-z0-9][a-z0-9 ,./_-]*: \S.*|(?:Merge|Revert) .*")
MAX_SUBJECT = 72


def findings_in(text: str, name: str) -> Iterator[tuple[int, str]]:
    """The line and the word of each word to avoid."""
    for found in WORDS.finditer(text):
        word = " ".join(found[0].lower().replace("#", " ").split())
        if (name, word) not in ALLOWED:
            yield text.count("\n", 0, found.start()) + 1, word


def files_in(places: list[Path]) -> Iterator[Path]:
    """All text files in these files and folders."""
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path.suffix not in BINARY and not NOT_READ.intersection(path.parts):
                yield path


def own_subjects() -> list[tuple[str, str]]:
    """Abbreviated hash and subject of the commits since the main line that no remote has, such as what was merged from
    the kit; none on the main line, or where it is unknown.
    """
    for main in ("origin/main", "main"):
        # Without a common commit, as in a shallow clone, what is listed would not be this branch's own.
        if _git("merge-base", main, "HEAD"):
            lines = _git("log", "--no-merges", "--format=%h %s", "HEAD", "--not", main, "--remotes").splitlines()
            return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]
    return []


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603  # fixed words
    except FileNotFoundError:
        return ""


def problems(places: list[Path]) -> Iterator[str]:
    """A line for each place that the author must change."""
    for path in files_in(places):
        name = path.resolve().relative_to(ROOT).as_posix()
        for line, word in findings_in(path.read_text(encoding="utf-8"), name):
            yield f"{name}:{line}: '{word}': better: {BETTER[word]}"


def problems_of_subjects() -> Iterator[str]:
    """A line for each commit to reword, and how."""
    for commit, subject in own_subjects():
        way = f"reword it by `git commit --amend`, or `git rebase -i {commit}^` where others follow"
        for _, word in findings_in(subject, "commit"):
            yield f"commit {commit}: '{word}': better: {BETTER[word]}; {way}"
        if len(subject) > MAX_SUBJECT or not SUBJECT.fullmatch(subject):
            rule = f"a subject is 'scope: imperative' of at most {MAX_SUBJECT} characters"
            yield f"commit {commit}: {rule}; {way}: {subject}"


def main() -> None:
    """Reads the given places, or the whole project, or subjects."""
    if sys.argv[1:] == ["--subjects"]:
        found = list(problems_of_subjects())
    else:
        given = [Path(each) for each in sys.argv[1:]]
        found = list(problems(given or [path for pattern in READ for path in sorted(ROOT.glob(pattern))]))
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
