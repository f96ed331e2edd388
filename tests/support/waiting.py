"""Waits for what happens in its own time."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Returns as soon as the condition holds. Raises ``TimeoutError`` when it does not come to that."""
    for _ in range(int(seconds * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError
