"""Events in every process: local listeners at once after the commit, other processes by the fan-out."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from app.lib.events.declaration import Hint, event
from app.lib.events.fanout import Fanout

log = structlog.stdlib.get_logger(__name__)

MAX_UNSENT = 10_000
_ENVELOPE = 40

_decoder = msgspec.json.Decoder(tuple[str, list[tuple[str, msgspec.Raw]]])


@event("hints.lost")
class HintsLost(Hint, frozen=True, kw_only=True):
    """Comes to listeners of this process when the fan-out has (re)connected: hints of others may have been lost."""


class Hints:
    """Calls the listeners of this process, and those of the others."""

    def __init__(self, fanout: Fanout) -> None:
        self.fanout = fanout
        self._sender_id = secrets.token_hex(8)
        self._listeners: dict[type[Hint], list[Callable[[Any], None]]] = defaultdict(list)
        self._types: dict[str, type[Hint]] = {}
        self._unsent: list[bytes] = []
        self._sending: asyncio.Task[None] | None = None

    def connect(self, kind: type[Hint], listener: Callable[[Any], None]) -> None:
        """Calls ``listener`` with every hint of this type."""
        self._types[kind.kind] = kind
        self._listeners[kind].append(listener)

    def has_listeners(self, kind: type[Hint]) -> bool:
        """Whether anything listens to it; then it does so in all processes, which run the same code."""
        return kind in self._listeners

    def emit(self, hint: Hint) -> None:
        """Calls the listeners here, and leaves the message to the other processes to a task."""
        self._call(hint)
        if not self.fanout.max_message:
            return
        encoded = msgspec.json.encode((hint.kind, hint))
        if len(encoded) + _ENVELOPE > self.fanout.max_message or len(self._unsent) >= MAX_UNSENT:
            log.warning("events.hint_dropped", kind=hint.kind, size=len(encoded))
            return
        self._unsent.append(encoded)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="hints")

    async def start(self) -> None:
        """Starts the fan-out; does not wait until it is connected."""
        await self.fanout.start(self._receive, lambda: self._call(HintsLost()))

    async def close(self, seconds: float = 1.0) -> None:
        """Sends what is left, but waits no longer than that."""
        if self._sending is not None:
            await asyncio.wait({self._sending}, timeout=seconds)
        await self.fanout.close()

    def _call(self, hint: Hint) -> None:
        for listener in self._listeners.get(type(hint), ()):
            try:
                listener(hint)
            except Exception:  # what is committed stays committed
                log.exception("events.hint_failed", kind=hint.kind)

    async def _send(self) -> None:
        while self._unsent:
            unsent, self._unsent = self._unsent, []
            await self.fanout.send(self._pack(unsent))

    def _pack(self, hints: list[bytes]) -> list[bytes]:
        """Messages that are no larger than the fan-out takes."""
        groups: list[list[bytes]] = []
        size = self.fanout.max_message
        for each in hints:
            size += len(each) + 1
            if size > self.fanout.max_message:
                groups.append([])
                size = _ENVELOPE + len(each)
            groups[-1].append(each)
        return [b'["%s",[%s]]' % (self._sender_id.encode(), b",".join(group)) for group in groups]

    def _receive(self, message: bytes) -> None:
        try:
            sender_id, hints = _decoder.decode(message)
            known = [(self._types[kind], raw) for kind, raw in hints if kind in self._types]
            received = [msgspec.json.decode(raw, type=kind) for kind, raw in known]
        except msgspec.MsgspecError as exc:  # of another version of this code
            log.warning("events.message_unreadable", error=str(exc))
            return
        if sender_id != self._sender_id:
            for hint in received:
                self._call(hint)
