"""Waits for what happens in its own time."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 60.0
"""Seconds to wait for what comes. It is long, because it is for the busiest of machines and promises nothing: how fast
things are is measured in benchmarks/.
"""


async def until(condition: Callable[[], bool], seconds: float = PATIENCE, *, every: float = 0.01) -> None:
    """Returns when the condition holds. Raises ``TimeoutError`` when it does not come to that."""
    for _ in range(int(seconds / every)):
        if condition():
            return
        await asyncio.sleep(every)
    raise TimeoutError


async def until_it_holds(condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """The same for a condition that has to be asked for. Raises ``TimeoutError``."""
    pause = 0.01
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, 0.1)  # who waits for long asks less often
