"""Who is still signed in, and who may still listen: asked all the time, and at once when somebody knows of a change."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import suppress
from uuid import UUID

import structlog

from app.lib.realtime.batches import bug_in
from app.lib.realtime.frames import CloseCode
from app.lib.realtime.gate import Gate
from app.lib.realtime.hub import Hub
from app.lib.realtime.names import parse_channel
from app.lib.realtime.refusals import refusal_of
from app.lib.realtime.sockets import Socket
from app.lib.security.principal import Principal

log = structlog.stdlib.get_logger(__name__)

_WORKERS = 4
_RETRY_SECONDS = 0.5


class Rights:
    """``sockets`` are those of this process. While the database is away everybody keeps what they have."""

    def __init__(self, hub: Hub, gate: Gate, sockets: Callable[[], Collection[Socket]], seconds: float) -> None:
        self._hub = hub
        self._gate = gate
        self._sockets = sockets
        self._seconds = seconds
        self._now = asyncio.Event()
        self._questions: asyncio.Queue[tuple[Socket, str]] = asyncio.Queue()
        self._asked: set[tuple[UUID, str]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to ask."""
        self._tasks = [asyncio.create_task(self._watch())]
        self._tasks += [asyncio.create_task(self._answer()) for _ in range(_WORKERS)]

    async def close(self) -> None:
        """Ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look_again(self) -> None:
        """Sessions may have ended, or rights changed. Does not wait."""
        self._now.set()

    def ask_again(self, socket: Socket, channel: str) -> None:
        """Whether this socket may still listen. Does not wait."""
        if (socket.id, channel) not in self._asked:
            self._asked.add((socket.id, channel))
            self._questions.put_nowait((socket, channel))

    async def _watch(self) -> None:
        failures = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._now.wait()
            self._now.clear()
            try:
                await self._look()
                failures = 0
            except Exception as exc:
                if not failures:
                    log.warning("realtime.rights_failed", error=type(exc).__name__, exc_info=bug_in(exc))
                failures += 1
                await asyncio.sleep(self._seconds)

    async def _look(self) -> None:
        by_session: dict[UUID, list[Socket]] = defaultdict(list)
        for socket in self._sockets():
            by_session[socket.principal.session_id].append(socket)
        if not by_session:
            return
        principals = await self._gate.principals(by_session.keys())
        for session_id, sockets in by_session.items():
            for socket in sockets:
                if socket.principal.session_id == session_id:  # it may have been renewed meanwhile
                    self._apply(socket, principals.get(session_id))

    def _apply(self, socket: Socket, principal: Principal | None) -> None:
        if principal is None:
            socket.close(CloseCode.AUTHENTICATE_AGAIN, "the session has ended")
        elif _rights_of(principal) != _rights_of(socket.principal):
            socket.principal = principal
            for channel in socket.channels:
                self.ask_again(socket, channel)

    async def _answer(self) -> None:
        while True:
            socket, channel = await self._questions.get()
            self._asked.discard((socket.id, channel))
            if socket.close_code is None and channel in socket.channels:
                await self._ask(socket, channel)

    async def _ask(self, socket: Socket, channel: str) -> None:
        try:
            await self._gate.subscribe(socket.principal, parse_channel(channel))
        except Exception as exc:  # noqa: BLE001 - told to the client, and logged where it is a bug
            refusal = refusal_of(exc)
            if refusal.retryable:
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.ask_again, socket, channel)
            elif self._hub.detach(socket, channel):
                socket.ended(channel, refusal.code)


def _rights_of(principal: Principal) -> tuple[bool, frozenset[str], frozenset[str]]:
    return principal.is_superuser, principal.roles, principal.permissions
