"""What an outage writes: one line in full, and how many there were."""

import asyncio
from typing import Any

from app.lib.observability import repeats
from app.lib.observability.repeats import log_once

Lines = list[dict[str, Any]]


def writer(lines: Lines) -> Any:
    return lambda event, **members: lines.append({"event": event, **members})


async def test_the_first_is_logged_in_full_and_the_others_are_counted() -> None:
    lines: Lines = []
    for number in range(1_000):
        log_once(writer(lines), "pool.empty", error="TimeoutError", number=number)
    log_once(writer(lines), "pool.empty", error="OSError", number=0)
    log_once(writer(lines), "pool.empty", error="OSError", of="mail", number=0)
    assert [(line["error"], line["number"]) for line in lines] == [("TimeoutError", 0), ("OSError", 0), ("OSError", 0)]

    await asyncio.sleep(repeats.WINDOW_SECONDS + 0.1)
    assert lines[3:] == [{"event": "pool.empty", "error": "TimeoutError", "of": "", "repeated": 999}]

    log_once(writer(lines), "pool.empty", error="TimeoutError", number=1)
    assert lines[4]["number"] == 1
