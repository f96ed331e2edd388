"""Connections to public addresses only: the address that was checked is the one that is connected to.

A check of the name before the request is worth nothing: the name may lead elsewhere a moment later (DNS rebinding).
So the name is looked up once, every address in the answer is checked, and the connection is made to one of these
very addresses; the certificate is still verified for the name.
"""

import asyncio
import ssl
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any, cast

import certifi
import httpcore

from app.lib.addresses import parse_address
from app.lib.names import Resolve

_MAX_ADDRESSES = 4
_SECONDS_PER_ADDRESS = 5.0
_READ_AT_MOST = 256 * 1024
"""Bytes of an answer, with all that comes before its body: a peer may send headers and hints without end."""


# The IANA registry of special-purpose addresses, written out because what Python calls global differs from version
# to version.
_REFUSED_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; some clouds keep their metadata there
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # public by its number, but the host's own agent in a large cloud
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays from 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# All that is given out of IPv6 so far. Loopback, IPv4-mapped, NAT64, link-local, unique local and multicast
# addresses are outside.
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_REFUSED_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which has an IPv4 address inside
        "3fff::/20",  # documentation
    )
)


def is_public(address: str) -> bool:
    """Whether it is the address of a host on the public internet.

    False for what is no address, and for every other form of one: with a zone, or inside another address.
    """
    parsed = parse_address(address)
    if parsed is None or str(parsed) != address:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_IPV4)
    return parsed in _GLOBAL_IPV6 and not any(parsed in network for network in _REFUSED_IPV6)


class Failure(StrEnum):
    """What went wrong with an attempt."""

    NAME_NOT_FOUND = "name_not_found"
    ADDRESS_REFUSED = "address_refused"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMEOUT = "timeout"
    INVALID_ANSWER = "invalid_answer"
    REFUSED = "refused"
    """An answer, but not 2xx; the status says more. Redirects are among these, because they are not followed."""


class Unreachable(Exception):
    """There is no connection: the name leads nowhere, or to an address that is not public, or TLS failed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """A network for ``httpcore`` that leads to public addresses only.

    When one address of several is not public, none is used: an honest name has no such mixture. ``wire`` makes the
    connections, always to an address and never to a name.
    """

    def __init__(
        self, resolve: Resolve, *, allow_private: bool = False, wire: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._wire = wire or cast(
            "httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend()
        )  # typed as if it may be absent

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises ``Unreachable``, ``ConnectError`` or ``ConnectTimeout``."""
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as exc:
            raise Unreachable(Failure.NAME_NOT_FOUND) from exc
        if not found:
            raise Unreachable(Failure.NAME_NOT_FOUND)
        if not self._allow_private and not all(is_public(address) for address in found):
            raise Unreachable(Failure.ADDRESS_REFUSED)
        *first, last = found[:_MAX_ADDRESSES]
        for address in first:
            try:
                return _MeteredStream(await self._wire.connect_tcp(address, port, _SECONDS_PER_ADDRESS))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return _MeteredStream(await self._wire.connect_tcp(last, port, timeout))


class _MeteredStream(httpcore.AsyncNetworkStream):
    """Limits what is read, and tells a failed handshake from a failed connection."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = _READ_AT_MOST

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        if self._left <= 0:
            raise httpcore.RemoteProtocolError("too long an answer")
        data = await self._stream.read(min(max_bytes, self._left), timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _MeteredStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except httpcore.ConnectError as exc:
            raise Unreachable(Failure.TLS_FAILED) from exc
        except asyncio.CancelledError:  # the time is up, and httpcore has not taken the stream over yet
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def public_authorities() -> ssl.SSLContext:
    """The system's authorities and those of certifi, because a small container has none of its own. It takes as long as
    many requests, so make it once, in a thread.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
