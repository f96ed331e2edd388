"""What an outage writes: one line in full, and how many there were."""

import asyncio
from typing import Any

import pytest

from app.lib.observability import repeats
from app.lib.observability.repeats import log_once
from tests.support.waiting import until

Lines = list[dict[str, Any]]


def writer(lines: Lines) -> Any:
    return lambda event, **members: lines.append({"event": event, **members})


async def test_the_first_is_logged_in_full_and_the_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "WINDOW_SECONDS", 0.2)
    lines: Lines = []
    for number in range(1_000):
        log_once(writer(lines), "pool.empty", error="TimeoutError", number=number)
    log_once(writer(lines), "pool.empty", error="OSError", number=0)
    log_once(writer(lines), "pool.empty", error="OSError", of="mail", number=0)
    assert [(line["error"], line["number"]) for line in lines] == [("TimeoutError", 0), ("OSError", 0), ("OSError", 0)]

    await until(lambda: len(lines) == 4)
    assert lines[3] == {"event": "pool.empty", "error": "TimeoutError", "of": "", "repeated": 999}


async def test_what_goes_on_is_counted_in_longer_and_longer_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "WINDOW_SECONDS", 0.05)
    lines: Lines = []
    end = asyncio.get_running_loop().time() + 1.0
    while asyncio.get_running_loop().time() < end:
        log_once(writer(lines), "pool.empty", error="ConnectionError", number=0)
        await asyncio.sleep(0.001)
    assert len([line for line in lines if "number" in line]) == 1
    assert len(lines) <= 6

    await until(lambda: not repeats._windows)
    log_once(writer(lines), "pool.empty", error="ConnectionError", number=1)
    assert lines[-1]["number"] == 1
