import subprocess
from pathlib import Path

import pytest

from tools import words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It was told.", [(1, "told")]),
        ("was_told", [(1, "told")]),
        ("WebhookTold", [(1, "told")]),
        ("Whoever asks", [(1, "whoever")]),
        ("a\nb has so\n# many", [(2, "so many")]),
        ("untold besides stolid", []),
        ("next to", []),
    ],
)
def test_words_are_found_whole_in_names_and_across_lines(text: str, found: list[tuple[int, str]]) -> None:
    assert list(words.findings_in(text, "x.py")) == found


@pytest.mark.parametrize(
    ("subject", "fits"),
    [
        ("orders: cancel an order", True),
        ("lib/http: answer 413 early", True),
        ("Merge branch 'main'", True),
        ("Posts are sent again", False),
        ("orders:", False),
    ],
)
def test_subject_names_its_scope(subject: str, *, fits: bool) -> None:
    assert bool(words.SUBJECT.fullmatch(subject)) is fits


def test_only_subjects_of_this_branch_are_looked_at_and_say_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]
        command = ["git", *who, "-C", str(tmp_path), *arguments]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - fixed words

    git("init")
    for branch, subject in (("main", "Begun"), ("kit", "Of another project"), ("mine", "posts: list posts")):
        git("checkout", "-B", branch)
        git("commit", "--allow-empty", "-m", subject)
    git("update-ref", "refs/remotes/upstream/main", "kit")
    git("commit", "--allow-empty", "-m", "In a style of its own")
    monkeypatch.setattr(words, "ROOT", tmp_path)

    [line] = words.problems_of_subjects()
    assert line.endswith("where others follow: In a style of its own")
    assert "`git commit --amend`" in line
