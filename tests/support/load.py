"""Many keep-alive connections that send GETs, one request at a time on each."""

import asyncio
import time
from collections import Counter


async def statuses_of(
    port: int, path: str, headers: dict[str, str], *, connections: int, seconds: float
) -> Counter[int]:
    """Sends until the time is over, at least one request on each connection; counts the answers by status."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    request, end, seen = ("\r\n".join(lines) + "\r\n\r\n").encode(), time.perf_counter() + seconds, Counter[int]()
    await asyncio.gather(*[_connection(port, request, end, seen) for _ in range(connections)])
    return seen


async def _connection(port: int, request: bytes, end: float, seen: Counter[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        is_first = True
        while is_first or time.perf_counter() < end:
            is_first = False
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            start = head.index(b"content-length:") + 15
            await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
            seen[int(head[9:12])] += 1
    finally:
        writer.close()
