"""A small HTTP/1.1 load generator: as many keep-alive connections as asked for, one request at a time on each."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial


@dataclass
class Result:
    """What one run saw; latencies in milliseconds."""

    seconds: float
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def quantile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percent - 1] if self.requests > 1 else 0.0


async def run(port: int, path: str, headers: dict[str, str], *, connections: int, seconds: float) -> Result:
    """Sends GETs until the time is over, at least one on each connection."""
    request = request_of("GET", path, headers)
    return await run_each(port, lambda _number: request, connections=connections, seconds=seconds)


async def run_each(port: int, make: Callable[[int], bytes], *, connections: int, seconds: float) -> Result:
    """Sends what ``make`` makes for the nth connection, again and again until the time is over."""
    result = Result(seconds)
    end = time.perf_counter() + seconds
    await asyncio.gather(*[_connection(port, partial(make, number), end, result) for number in range(connections)])
    return result


def request_of(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def _connection(port: int, make: Callable[[], bytes], end: float, result: Result) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        begin = 0.0
        while not begin or begin < end:
            begin = time.perf_counter()
            writer.write(make())
            status = await _response(reader)
            result.latencies.append((time.perf_counter() - begin) * 1000)
            result.statuses[status] = result.statuses.get(status, 0) + 1
    finally:
        writer.close()


async def _response(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    await reader.readexactly(int(lower[start : lower.index(b"\r\n", start)]))
    return int(head[9:12])
