"""The figures as a table, as JSON and as a chart; and next to those of the last whole run."""

import re
from collections.abc import Iterator
from html import escape
from math import log10
from pathlib import Path

import msgspec

from benchmarks.facts import Fact
from benchmarks.measure import Figures
from benchmarks.rows import PEERS, ROWS
from benchmarks.server import BARE, FASTAPI, FASTIFY, OURS, SQLITE
from benchmarks.world import Size

ROOT = Path(__file__).parents[1]
BASELINE = Path(__file__).with_name("baseline.json")
PAGE = ROOT / "docs/performance.md"
CHART = ROOT / "docs/images/performance.svg"
MARKED = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- /figures -->)", re.DOTALL)
WORST_FALL = 0.75
"""Of the baseline's ratio."""
GOALS = {row.name: row.goals for row in ROWS}


class Process(msgspec.Struct):
    ready_seconds: float
    worker_mib: float


class Report(msgspec.Struct):
    machine: dict[str, str]
    size: Size
    rows: dict[str, dict[str, Figures]]
    servers: dict[str, Process] = {}
    facts: list[Fact] = []
    busy: list[str] = []

    def ratios(self) -> Iterator[tuple[str, str, float]]:
        """Row, peer, and its processor time as a multiple of ours."""
        for row, servers in self.rows.items():
            for peer, figures in servers.items():
                if peer != OURS:
                    yield row, peer, figures.cpu_us / max(servers[OURS].cpu_us, 1e-9)


def encoded(report: Report) -> bytes:
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def publish(report: Report) -> None:
    """Makes it the baseline, and writes the page's figures and its chart."""
    BASELINE.write_bytes(encoded(report))
    CHART.write_text(chart(report))
    figures = f"![Processor time per request](images/{CHART.name})\n\n{text(report)}\n"
    PAGE.write_text(MARKED.sub(lambda _: figures, PAGE.read_text()))


def compare(report: Report) -> int:
    """The exit code: 1 where a ratio fell by a quarter, 2 where there is nothing to compare with."""
    if not BASELINE.exists():
        print("there is no baseline: run `just bench` on a quiet machine first")
        return 2
    baseline = msgspec.json.decode(BASELINE.read_bytes(), type=Report)
    before = {(row, peer): ratio for row, peer, ratio in baseline.ratios()}
    fallen = [
        f"{row}, next to {peer}: {ratio:.2f}, was {before[row, peer]:.2f}"
        for row, peer, ratio in report.ratios()
        if (row, peer) in before and ratio < before[row, peer] * WORST_FALL
    ]
    print("\n".join(["slower than the baseline:", *fallen]) if fallen else "no ratio fell by a quarter")
    return 1 if fallen else 0


def text(report: Report) -> str:
    """Markdown: the machine, the rows, and what is no row. What misses its goal is bold."""
    ratios = {(row, peer): ratio for row, peer, ratio in report.ratios()}
    others = [name for name in (*PEERS, SQLITE) if any(peer == name for _, peer in ratios)]
    lines = [
        ", ".join(f"{name} {value}" for name, value in report.machine.items())
        + f"; {report.size.users:,} users, {report.size.posts:,} posts, {report.size.products:,} products.",
        "",
        *(
            [f"**The machine was busy**, so the figures are rough: {'; '.join(report.busy)}.", ""]
            if report.busy
            else []
        ),
        f"| | requests/s | p50 ms | p99 ms | µs | {' | '.join(others)} |",
        "| --- |" + " ---: |" * (4 + len(others)),
    ]
    for row, servers in report.rows.items():
        ours = servers[OURS]
        cells = [_cell(ratios.get((row, peer)), GOALS[row].get(peer)) for peer in others]
        figures = f"{ours.per_second:,.0f} | {ours.p50_ms:.1f} | {ours.p99_ms:.1f} | {ours.cpu_us:,.0f}"
        lines.append(f"| {row} | {figures} | {' | '.join(cells)} |")
    bad = [(row, name, each.bad) for row, servers in report.rows.items() for name, each in servers.items() if each.bad]
    lines += (
        ["", *(f"{count} answers of {name} to *{row}* were refusals or errors." for row, name, count in bad)]
        if bad
        else []
    )
    if report.facts:
        lines += ["", "| | | goal |", "| --- | ---: | ---: |", *map(_fact, report.facts)]
    if report.servers:
        lines += ["", "| | start to ready, s | memory of the worker, MiB |", "| --- | ---: | ---: |"]
        lines += [
            f"| {name} | {each.ready_seconds:.1f} | {each.worker_mib:.0f} |" for name, each in report.servers.items()
        ]
    return "\n".join(lines)


def _cell(ratio: float | None, goal: float | None) -> str:
    if ratio is None:
        return ""
    shown = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"  # noqa: PLR2004 - three digits say enough
    return f"**{shown}** (≥ {goal})" if goal and ratio < goal else shown + (f" (≥ {goal})" if goal else "")


def _fact(fact: Fact) -> str:
    goal = f"≤ {fact.at_most:g}" if fact.at_most is not None else f"≥ {fact.at_least:g}"
    value = f"{fact.value:.2f}"
    return f"| {fact.name} | {value if fact.is_reached else f'**{value}**'} | {goal} |"


COLOURS = {BARE: "#2a78d6", FASTIFY: "#1baa7d", FASTAPI: "#d64550"}
OTHER_COLOUR = "#b07aa1"
LEFT, WIDTH, STEP, TOP = 270, 560, 26, 60
FROM, TO = -1.0, 1.7
"""Powers of ten at the ends of the scale."""


def chart(report: Report) -> str:
    """A line for each row, a dot for each peer: its processor time as a multiple of ours, which is the line at 1."""
    peers = [peer for peer in PEERS if any(peer in servers for servers in report.rows.values())]
    names = list(report.rows)
    height = TOP + STEP * len(names) + 20
    size = f'viewBox="0 0 {LEFT + WIDTH + 20} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="8" y="18">Processor time per request; {OURS} is 1, to the right is slower</text>',
    ]
    for number, peer in enumerate(peers):
        x = 8 + number * 200
        parts.append(
            f'<circle cx="{x + 5}" cy="34" r="5" fill="{_colour(peer)}"/><text x="{x + 15}" y="38">{peer}</text>'
        )
    for value in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50):
        stroke = "#333" if value == 1 else "#ddd"
        parts.append(f'<path d="M{_x(value)} {TOP - 4}V{height - 18}" stroke="{stroke}"/>')
        parts.append(f'<text x="{_x(value)}" y="{height - 5}" text-anchor="middle">{value}</text>')
    parts += [f'<text x="8" y="{TOP + STEP * n + 14}">{escape(name)}</text>' for n, name in enumerate(names)]
    for row, peer, ratio in report.ratios():
        if peer in peers:
            y = TOP + STEP * names.index(row) + 10
            title = f"<title>{escape(row)}, {peer}: {ratio:.2f}</title>"
            parts.append(f'<circle cx="{_x(ratio)}" cy="{y}" r="5" fill="{_colour(peer)}">{title}</circle>')
    return "\n".join([*parts, "</svg>", ""])


def _colour(peer: str) -> str:
    return COLOURS.get(peer, OTHER_COLOUR)


def _x(ratio: float) -> int:
    place = (log10(max(ratio, 1e-9)) - FROM) / (TO - FROM)
    return round(LEFT + WIDTH * min(max(place, 0), 1))
