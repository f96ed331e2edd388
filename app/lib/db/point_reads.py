"""Look-ups by key that arrive together go together: one statement for all of a kind, one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from app.lib.db.prepared import PreparedIn

T = TypeVar("T")

MAX_KEYS = 64
"""Of one statement."""

_Read = Callable[..., Awaitable[list[Any]]]
_Waiting = dict[Any, list[asyncio.Future[Any]]]


class PointReads:
    """Collects look-ups until the end of the loop's turn. ``read`` runs a prepared select."""

    def __init__(self, read: _Read) -> None:
        self._read = read
        self._open: dict[PreparedIn[Any], _Waiting] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, prepared: PreparedIn[T], key: Any, values: Mapping[str, Any]) -> Awaitable[T | None]:
        """The row with this key, or None. The statement's other values are those of the first look-up, so they have to
        be the same for all callers, such as the time. An error goes to all who wait.
        """
        loop = asyncio.get_running_loop()
        waiting = self._open.get(prepared)
        if waiting is None or len(waiting) >= MAX_KEYS:
            waiting = self._open[prepared] = {}
            loop.call_soon(self._start, prepared, waiting, values)
        found: asyncio.Future[Any] = loop.create_future()
        waiting.setdefault(key, []).append(found)
        return found

    def _start(self, prepared: PreparedIn[Any], waiting: _Waiting, values: Mapping[str, Any]) -> None:
        if self._open.get(prepared) is waiting:
            del self._open[prepared]
        task = asyncio.get_running_loop().create_task(self._run(prepared, waiting, values))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, prepared: PreparedIn[Any], waiting: _Waiting, values: Mapping[str, Any]) -> None:
        try:
            statement, keys = prepared.of(waiting)
            rows = {prepared.key_of(row): row for row in await self._read(statement, **keys, **values)}
        except BaseException as exc:
            for each in _still(waiting):
                each[1].set_exception(exc if isinstance(exc, Exception) else asyncio.CancelledError())
            if not isinstance(exc, Exception):
                raise
        else:
            for key, found in _still(waiting):
                found.set_result(rows.get(key))


def _still(waiting: _Waiting) -> list[tuple[Any, asyncio.Future[Any]]]:
    return [(key, each) for key, futures in waiting.items() for each in futures if not each.done()]
