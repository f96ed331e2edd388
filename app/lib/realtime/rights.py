"""Checks who is still signed in and who may still listen: regularly, and at once after a change."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from uuid import UUID

from app.lib.realtime.background import wait_for_signal
from app.lib.realtime.channels import ChannelAccess, parse_channel
from app.lib.realtime.errors import refusal_of
from app.lib.realtime.frames import CloseCode
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.sockets import Socket
from app.lib.security.principal import Principal

_RETRY_SECONDS = 0.5


class Rights:
    """``sockets`` are those of this process. While the database is away all people keep what they have."""

    def __init__(
        self,
        access: ChannelAccess,
        sockets: Mapping[UUID, Socket],
        detach: Callable[[Socket, str], bool],
        options: RealtimeOptions,
    ) -> None:
        self._access = access
        self._sockets = sockets
        self._detach = detach
        self._options = options
        self._must_check = asyncio.Event()
        self._questions: asyncio.Queue[tuple[Socket, str]] = asyncio.Queue()
        self._asked: set[tuple[UUID, str]] = set()

    def check_sessions_now(self) -> None:
        """Sessions may have ended, or rights changed. Does not wait."""
        self._must_check.set()

    def check_again(self, socket: Socket, channel: str) -> None:
        """Checks whether this socket may still listen. Does not wait."""
        if (socket.id, channel) not in self._asked:
            self._asked.add((socket.id, channel))
            self._questions.put_nowait((socket, channel))

    async def check_sessions(self) -> None:
        """Closes the sockets of sessions that have ended. Waits until it is time for that."""
        await wait_for_signal(self._must_check, self._options.rights_seconds)
        by_session: dict[UUID, list[Socket]] = defaultdict(list)
        for socket in self._sockets.values():
            by_session[socket.principal.session_id].append(socket)
        if not by_session:
            return
        principals = await self._access.people.principals(by_session.keys())
        for session_id, sockets in by_session.items():
            principal = principals.get(session_id)
            for socket in sockets:
                if socket.principal.session_id != session_id:
                    continue  # it has a new token by now
                if principal is None:
                    socket.close(CloseCode.AUTHENTICATE_AGAIN, "the session has ended")
                elif _rights_of(principal) != _rights_of(socket.principal):
                    socket.principal = principal
                    for channel in socket.channels:
                        self.check_again(socket, channel)

    async def check_channel(self) -> None:
        """Answers the next question of :meth:`check_again`."""
        socket, channel = await self._questions.get()
        self._asked.discard((socket.id, channel))
        if socket.close_code is not None or channel not in socket.channels:
            return
        try:
            await self._access.check_subscribe(socket.principal, parse_channel(channel))
        except Exception as exc:  # noqa: BLE001 - sent to the client, and logged where it is a bug
            refusal = refusal_of(exc)
            if refusal.retryable:
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.check_again, socket, channel)
            elif self._detach(socket, channel):
                socket.ended(channel, refusal.code)


def _rights_of(principal: Principal) -> tuple[bool, frozenset[str], frozenset[str]]:
    return principal.is_superuser, principal.roles, principal.permissions
