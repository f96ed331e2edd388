"""Keeping up: whatever is known to exist is read from the log, and whatever no hint told of is found."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

import structlog

from app.lib.realtime.batches import bug_in
from app.lib.realtime.hints import AccessHint, EventHint, Hint, PresenceHint
from app.lib.realtime.local import LocalChannel
from app.lib.realtime.log import ChannelState, EventLog
from app.lib.realtime.node import Node

log = structlog.stdlib.get_logger(__name__)

REORDER_PAUSE = 0.005
"""Seconds to wait for the hints that others were faster than, before the log is asked."""

_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


class Tasks:
    """Those of the hub, which end with it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs it in the background."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """The same, for what nobody asks after."""
        self.spawn(work)  # type: ignore[unused-awaitable]  # it is kept in the set

    async def cancel(self) -> None:
        """Ends them all."""
        for task in (tasks := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Follower:
    """``lose`` is called with a channel whose next events will never come, and the reason."""

    def __init__(
        self,
        channels: Mapping[str, LocalChannel],
        event_log: EventLog,
        node: Node,
        tasks: Tasks,
        lose: Callable[[LocalChannel, str], None],
        *,
        sweep_seconds: float,
        presence_pause: float,
    ) -> None:
        self.count = 0
        """Events that had to be read from the log."""
        self._channels = channels
        self._log = event_log
        self._node = node
        self._tasks = tasks
        self._lose = lose
        self._sweep_seconds = sweep_seconds
        self._presence_pause = presence_pause
        self._sweep_now = asyncio.Event()

    def sweep_now(self) -> None:
        """Hints may have been lost."""
        self._sweep_now.set()

    def heed(self, hint: Hint, *, is_ours: bool = False) -> None:
        """``is_ours``: that it is about our own sockets, so that we know already who is present."""
        local = self._channels.get(hint.channel)
        if local is None:
            return
        if isinstance(hint, EventHint):
            if hint.id > local.last_id:  # our own have been delivered already
                local.offer(hint.id, hint.delivery)
        elif isinstance(hint, PresenceHint):
            if is_ours and hint.version == local.presence_version + 1:
                local.presence_version = hint.version
            local.presence_wanted = max(local.presence_wanted, hint.version)
        else:
            _heed_access(local, hint)
        self.progress(local)

    def observe(self, local: LocalChannel, state: ChannelState, known: int) -> None:
        """Where the channel stands; ``known`` is how far we were before that was read."""
        if state.last_id < known:
            self._give_up(local, "reset", state.last_id)  # somebody has put back an older database
            return
        local.offer(state.last_id, None)
        local.presence_wanted = max(local.presence_wanted, state.presence_version)
        _heed_access(local, AccessHint(local.name, state.access_version, None))
        self.progress(local)

    def progress(self, local: LocalChannel) -> None:
        """Starts to read whatever is behind."""
        if not local.is_open:
            return
        if local.is_behind and (local.following is None or local.following.done()):
            local.following = self._tasks.spawn(self._follow(local))
        if local.presence_wanted > local.presence_version and (local.looking is None or local.looking.done()):
            local.looking = self._tasks.spawn(self._look(local))

    async def sweep(self) -> None:
        """Finds what hints were lost, for ever."""
        failures = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sweep_seconds):
                    await self._sweep_now.wait()
            self._sweep_now.clear()
            try:
                await self._look_at_all()
                failures = 0
            except Exception as exc:
                if not failures:
                    log.warning("realtime.sweep_failed", error=type(exc).__name__, exc_info=bug_in(exc))
                failures += 1

    async def _look_at_all(self) -> None:
        known = {name: local.last_id for name, local in self._channels.items() if local.is_open}
        if not known:
            return
        states = await self._log.states(known)
        for name, last_id in known.items():
            if (local := self._channels.get(name)) is not None and local.is_open:
                self.observe(local, states.get(name, ChannelState(name)), last_id)

    async def _follow(self, local: LocalChannel) -> None:
        """Reads the log until everything that is known to exist has been delivered."""
        if local.holds_some:
            await asyncio.sleep(REORDER_PAUSE)
        failures = 0
        while local.is_behind and self._channels.get(local.name) is local:
            try:
                await self._read_on(local)
                failures = 0
            except Exception as exc:
                log.warning("realtime.read_failed", error=type(exc).__name__, exc_info=bug_in(exc))
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1

    async def _read_on(self, local: LocalChannel) -> None:
        known = local.last_id
        rows = await self._log.after(local.name, known)
        if not rows or rows[0].id > local.last_id + 1:
            # What comes next is gone already, or somebody has told us what is not true.
            states = await self._log.states([local.name])
            last_id = states.get(local.name, ChannelState(local.name)).last_id
            if local.last_id != known:
                return
            if last_id > known:
                self._give_up(local, "lost", last_id)
            local.target = local.last_id
            return
        for row in rows:
            if row.id == local.last_id + 1:
                local.offer(row.id, row.delivery)
                self.count += 1

    def _give_up(self, local: LocalChannel, reason: str, last_id: int) -> None:
        log.warning("realtime.channel_lost", channel=local.name, reason=reason)
        local.skip_to(last_id)
        self._lose(local, reason)

    async def _look(self, local: LocalChannel) -> None:
        """Reads who is present elsewhere; a little later, because where one comes there come more."""
        failures = 0
        while True:
            await asyncio.sleep(self._presence_pause)
            wanted = local.presence_wanted
            if wanted <= local.presence_version or self._channels.get(local.name) is not local:
                return
            try:
                local.remote = await self._node.present_elsewhere(local.name)
            except Exception as exc:
                log.warning("realtime.presence_failed", error=type(exc).__name__, exc_info=bug_in(exc))
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            else:
                local.presence_version = max(wanted, local.presence_version)
                local.show_presence()


def _heed_access(local: LocalChannel, hint: AccessHint) -> None:
    if hint.version <= local.access_version:
        return
    # A hint that was lost may have been about somebody else.
    user_id = hint.user_id if hint.version == local.access_version + 1 else None
    local.access_version = hint.version
    for subscription in tuple(local.subscriptions.values()):
        if user_id is None or subscription.subscriber.user_id == user_id:
            subscription.subscriber.access_changed(local.name)
