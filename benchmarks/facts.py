"""What is no row: rows next to each other, sign-in, many connections, start and memory; with our goals."""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from argon2 import PasswordHasher

from benchmarks.measure import Figures, Site
from benchmarks.realtime import next_to_bare
from benchmarks.rows import DEEP_PAGE, FIRST_PAGE, HEALTH, HOT_ORDER, ME, MISSING, POSTS, PRODUCTS, ROWS
from benchmarks.server import COMMANDS, OURS, SQLITE, serving
from tests.support.people import PASSWORD, password_hash

CROWDS = (64, 500, 2_000)
FEW = 8
STARTS = 3
MAY_REFUSE = {200, 429, 503}


class Fact(msgspec.Struct):
    name: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_reached(self) -> bool:
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


def facts_of(site: Site, rows: Mapping[str, Mapping[str, Figures]]) -> list[Fact]:
    ours = {name: servers[OURS] for name, servers in rows.items()}
    hot, mib = ours[HOT_ORDER], site.servers[OURS].worker_mib()
    return [
        Fact(
            "20 users after all that were seeded, of the first page",
            ours[DEEP_PAGE].cpu_us / ours[FIRST_PAGE].cpu_us,
            1.1,
        ),
        Fact("20 products, of 20 posts", ours[PRODUCTS].cpu_us / ours[POSTS].cpu_us, 1),
        Fact("orders of one hot product: p99, of p50", hot.p99_ms / hot.p50_ms, 5),
        Fact("nothing here (404), µs", ours[MISSING].cpu_us, 60),
        Fact("/health, µs", ours[HEALTH].cpu_us, 60),
        *_sign_ins(site),
        *_crowds(site),
        *_messages(site),
        Fact("start to ready on SQLite, s", min(_start(site) for _ in range(STARTS)), 1.5),
        Fact("resident memory of the worker after the load, MiB", mib, 110),
    ]


def _me(site: Site, connections: int) -> tuple[float, float, int]:
    """Requests/s, p99, and answers or errors that were not meant to happen."""
    plans = next(row for row in ROWS if row.name == ME).plans(site.worlds[OURS], OURS)
    seconds = site.seconds * (1 + connections / 1_000)  # to open them takes a while
    result, _ = site.load(OURS, plans, seconds, connections)
    served = result.statuses.get(200, 0) / result.seconds
    meant = sum(count for status, count in result.statuses.items() if status in MAY_REFUSE)
    return served, result.p99_ms, result.requests - meant + result.errors


def _sign_ins(site: Site) -> Sequence[Fact]:
    alone, logins = _argon2(site.seconds), site.worlds[OURS].logins()
    signed_in, _ = site.load(OURS, logins, site.seconds)
    _, p99, _ = _me(site, FEW)
    with ThreadPoolExecutor() as pool:
        pool.submit(site.load, OURS, logins, site.seconds + 1)
        _, p99_during, _ = pool.submit(_me, site, FEW).result()
    return [
        Fact("logins/s, of what argon2id alone does on these cores", signed_in.per_second / alone, at_least=0.9),
        Fact("p99 of the current user during logins, of p99 alone", p99_during / p99, 3),
    ]


def _argon2(seconds: float) -> float:
    """Hashes a second, with as many threads as there are cores."""
    hasher, stored, cores = PasswordHasher(2, 19_456, 1), password_hash(), os.cpu_count() or 1
    begin, count = time.perf_counter(), 0
    with ThreadPoolExecutor(cores) as pool:
        while (spent := time.perf_counter() - begin) < seconds:
            count += sum(pool.map(hasher.verify, [stored] * cores, [PASSWORD] * cores))
    return count / spent


def _crowds(site: Site) -> Sequence[Fact]:
    found = {connections: _me(site, connections) for connections in CROWDS}
    best = max(per_second for per_second, _, _ in found.values())
    facts = [
        Fact(f"requests/s with {each} connections, of the best", found[each][0] / best, at_least=0.8)
        for each in CROWDS[1:]
    ]
    return [
        *facts,
        Fact("other errors than 429 and 503 with that many", sum(errors for *_, errors in found.values()), 0),
    ]


def _messages(site: Site) -> Sequence[Fact]:
    ratio, kib = next_to_bare(site.seconds)
    return [
        Fact("messages to 100 listeners by processor time, of granian's sockets alone", ratio, at_least=0.5),
        Fact("memory of an idle socket, of 1 000, KiB", kib, 130),
    ]


def _start(site: Site) -> float:
    with serving(COMMANDS[SQLITE], site.worlds[SQLITE].environ, ready="/health/ready") as server:
        return server.ready_seconds
