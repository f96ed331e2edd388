"""What the benchmark says about its figures, without a run of it."""

from pathlib import Path

import msgspec
import pytest

from app.domain.accounts import dtos as accounts
from app.domain.catalog import dtos as catalog
from app.domain.posts import dtos as posts
from benchmarks import report
from benchmarks.measure import Figures, differences
from benchmarks.peers import structs
from benchmarks.report import Report
from benchmarks.rows import FIRST_PAGE, ME
from benchmarks.server import BARE, FASTAPI, OURS
from benchmarks.world import Size


def a_report(ours: float) -> Report:
    def figures(cpu_us: float) -> Figures:
        return Figures(cpu_us=cpu_us, per_second=1, p50_ms=1, p99_ms=1, spread=0)

    servers = {OURS: figures(ours), BARE: figures(100), FASTAPI: figures(1_600)}
    return Report({"cores": "2"}, Size(1, 1, 1), {ME: servers, FIRST_PAGE: {OURS: figures(100), BARE: figures(50)}})


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with the figures of a run that took 100 µs of ours."""
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n")
    for name, path in {"PAGE": page, "CHART": tmp_path / "chart.svg", "BASELINE": tmp_path / "baseline.json"}.items():
        monkeypatch.setattr(report, name, path)
    report.publish(a_report(100))
    return page


def test_whole_run_writes_its_figures_between_the_marks(published: Path) -> None:
    text = published.read_text()

    assert text.startswith("before\n<!-- figures -->\n![")
    assert text.endswith("\n<!-- /figures -->\nafter\n")
    assert "old" not in text
    assert f"| {ME} | 1 | 1.0 | 1.0 | 100 | 1.00 (≥ 0.65) | 16 (≥ 8) |" in text
    assert published.with_name("chart.svg").read_text().count("<title>") == 3
    report.publish(a_report(400))
    assert "**0.25** (≥ 0.65) | **4.00** (≥ 8)" in published.read_text()


@pytest.mark.parametrize(("ours", "status"), [(80, 0), (130, 0), (140, 1)])
def test_check_fails_when_a_ratio_fell_by_a_quarter(published: Path, ours: float, status: int) -> None:
    assert report.compare(a_report(ours)) == status


def test_check_without_a_baseline_is_no_success(published: Path) -> None:
    published.with_name("baseline.json").unlink()

    assert report.compare(a_report(100)) == 2


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (accounts.UserRead, structs.UserRead),
        (posts.PostSummary, structs.PostSummary),
        (posts.PostRead, structs.PostRead),
        (catalog.ProductRead, structs.ProductRead),
    ],
)
def test_peers_answer_with_the_same_members(ours: type[msgspec.Struct], theirs: type[msgspec.Struct]) -> None:
    names = {field.encode_name for field in msgspec.structs.fields(theirs)}

    assert names == {field.encode_name for field in msgspec.structs.fields(ours)}, "change all of benchmarks/peers"


def test_answers_differ_by_value_type_member_and_length() -> None:
    ours = {"items": [{"id": 1, "name": None}], "next_cursor": "a"}

    assert not differences(ours, {"items": [{"id": 1, "name": None}], "next_cursor": "b"}, {"next_cursor"})
    for theirs in ([{"id": 1.0, "name": None}], [{"id": 1}], [{"id": 1, "name": None, "more": 0}], []):
        assert differences(ours, {"items": theirs}, {"next_cursor"})
    assert not differences({"id": 1}, {"id": 2}, set(), only_names=True)
    assert differences({"id": 1}, {}, set(), only_names=True)
