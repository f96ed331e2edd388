"""Host names to addresses. A name server that never answers costs its caller a few seconds, and no other look-up
anything: the system's own resolver takes a thread for each name and gives it back when it likes.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiodns import DNSResolver
from aiodns.error import DNSError

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""From a host name and a port to its addresses, in the order in which to try them. Raises ``OSError``."""

LOOKUP_SECONDS = 5.0
"""For one name, with all its repetitions."""

_SECONDS_PER_TRY, _TRIES = 1.5, 2


class Names:
    """Looks up names as the system is configured (its hosts file, name servers and search domains), without threads.
    For one event loop, the first that asks.
    """

    def __init__(self, nameservers: Sequence[str] | None = None) -> None:
        """``nameservers`` are the system's unless given."""
        self._nameservers = nameservers
        self._resolver: DNSResolver | None = None

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host, each once. Raises ``OSError``."""
        if self._resolver is None:
            self._resolver = DNSResolver(self._nameservers, timeout=_SECONDS_PER_TRY, tries=_TRIES)
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await self._resolver.getaddrinfo(host, port=port, type=socket.SOCK_STREAM)
        except DNSError as exc:
            raise OSError(f"{host}: {exc.args[-1]}") from exc
        return list(dict.fromkeys(node.addr[0].decode() for node in found.nodes))
