"""Sends the rows to the servers: first to see that all give the same answer, then to measure."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import httpx
import msgspec

from benchmarks import load
from benchmarks.load import Plan, Result
from benchmarks.rows import BY_PAGE, DEEP_PAGE, Row
from benchmarks.server import OURS, SQLITE, Server
from benchmarks.world import World

WARM_UP_SECONDS = 0.5
SLOW = 8
"""Times as long for a server that answers nothing in the time of a round."""
BAD_SHARE = 0.01
"""Of the answers. A row with more of them measures something else."""


class Figures(msgspec.Struct):
    """Medians of the rounds of one row on one server; ``spread`` is (max - min) / median of the processor
    time, ``bad`` the number of answers that were not meant to happen."""

    cpu_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    spread: float
    bad: int = 0


class Site(msgspec.Struct, frozen=True):
    """The servers that run, what each serves, and how to measure."""

    servers: Mapping[str, Server]
    worlds: Mapping[str, World]
    connections: int
    seconds: float

    def names(self, row: Row) -> list[str]:
        return [name for name in self.servers if name in (OURS, *row.peers)]

    def load(self, name: str, plans: Sequence[Plan], seconds: float, connections: int = 0) -> tuple[Result, float]:
        """The result, and the processor time of the server in microseconds per request."""
        server = self.servers[name]
        cpu = server.cpu_seconds()
        result = load.run(server.port, plans, connections=connections or self.connections, seconds=seconds)
        return result, (server.cpu_seconds() - cpu) / max(result.requests, 1) * 1e6


def check(site: Site, row: Row) -> None:
    """All servers give the status of the row, and the JSON of ours, member by member. Raises ``RuntimeError``."""
    found = {name: _answer(site, row, name) for name in site.names(row) if name != SQLITE}
    ours = found[OURS]
    for name, theirs in found.items():
        if row.status in {404, 304}:
            continue  # the body of a 404 is the framework's own
        left_out = {"next_cursor"}  # each has its own form
        if name in BY_PAGE:
            left_out |= {"total", "total_capped", "pages"}  # they count all, ours and the others 10 000
        if row.name == DEEP_PAGE:
            left_out |= {"page"}
        if differing := differences(ours, theirs, left_out, only_names=row.status == 201):  # noqa: PLR2004 - ids of new rows
            raise RuntimeError(f"{name} answers other than {OURS} to {row.name!r}: {differing}")


def _answer(site: Site, row: Row, name: str) -> Any:
    plan = row.plans(site.worlds[name], name)[0]
    request = plan.requests[0]
    url = f"http://127.0.0.1:{site.servers[name].port}{request.path}"
    answer = httpx.request(request.method, url, headers=plan.headers, content=request.body, timeout=60)
    if answer.status_code != row.status:
        raise RuntimeError(f"{name} answers {answer.status_code} to {row.name!r}: {answer.text[:500]}")
    return answer.json() if answer.content else None


def differences(ours: Any, theirs: Any, left_out: set[str], *, only_names: bool = False, at: str = "") -> list[str]:
    """Pointers to what is not the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        pairs = [(name, ours.get(name, ...), theirs.get(name, ...)) for name in sorted({*ours, *theirs} - left_out)]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(ours, theirs, strict=True))]
    else:
        same = (ours is ...) == (theirs is ...) if only_names else (type(ours), ours) == (type(theirs), theirs)
        return [] if same else [f"{at}: {ours!r} is {theirs!r}"]
    inner = (differences(a, b, left_out, only_names=only_names, at=f"{at}/{name}") for name, a, b in pairs)
    return [each for found in inner for each in found]


def measure(site: Site, rows: Sequence[Row], rounds: int) -> dict[str, dict[str, Figures]]:
    """Each round has every row, each row every server in turn, so that a busy minute hits all of them."""
    seen: dict[str, dict[str, list[tuple[float, Result]]]] = {}
    for number in range(1, rounds + 1):
        for row in rows:
            print(f"# round {number} of {rounds}: {row.name}", flush=True)
            for name in site.names(row):
                plans = row.plans(site.worlds[name], name)
                site.load(name, plans, WARM_UP_SECONDS)
                result, cpu_us = site.load(name, plans, site.seconds)
                if not result.requests and not result.errors:  # one that counts all rows in each request
                    result, cpu_us = site.load(name, plans, site.seconds * SLOW)
                if _bad(row, result) >= max(result.requests, 1) * BAD_SHARE:
                    raise RuntimeError(f"{name} answers {result.statuses} to {row.name!r}, {result.errors} errors")
                seen.setdefault(row.name, {}).setdefault(name, []).append((cpu_us, result))
    return {row.name: {name: _figures(row, runs) for name, runs in seen[row.name].items()} for row in rows}


def _bad(row: Row, result: Result) -> int:
    return result.requests - result.statuses.get(row.status, 0) + result.errors + (result.requests == 0)


def _figures(row: Row, runs: Sequence[tuple[float, Result]]) -> Figures:
    cpu = [cpu_us for cpu_us, _ in runs]
    results = [result for _, result in runs]
    return Figures(
        cpu_us=round(median(cpu), 1),
        per_second=round(median(each.per_second for each in results)),
        p50_ms=round(median(each.p50_ms for each in results), 2),
        p99_ms=round(median(each.p99_ms for each in results), 2),
        spread=round((max(cpu) - min(cpu)) / max(median(cpu), 1e-9), 2),
        bad=sum(_bad(row, each) for each in results),
    )
