"""Who the client is: the peer, or the one for whom a trusted proxy speaks."""

from collections.abc import Iterable
from typing import Any, cast

from litestar.types import Scope

from app.lib.addresses import canonical_address, parse_address, parse_network


class TrustedProxies:
    """Puts the client's address into ``scope["client"]``, in its one canonical form.

    ``X-Forwarded-For`` counts when the peer is trusted; the client is its right-most hop that is not trusted, because
    everything to the left of it may be made up. When that hop is no address, the client is None. Raises
    ``ValueError`` for what is no address or network.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._networks = [parse_network(each) for each in trusted]

    def find_client(self, scope: Scope) -> None:
        """Of a request or handshake."""
        peer = cast("tuple[str, Any] | None", scope.setdefault("client", None))  # servers may leave it out
        address = canonical_address(peer[0]) if peer else None
        if peer and address:
            hops = self._hops(scope) if self._networks and self._trusts(address) else []
            if hops:
                client = self._client_of(hops)
                scope["client"] = (client, 0) if client else None
            else:
                scope["client"] = (address, peer[1])

    def _trusts(self, address: str) -> bool:
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    @staticmethod
    def _hops(scope: Scope) -> list[str]:
        lines = (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
        return [hop for line in lines for part in line.split(",") if (hop := part.strip())]

    def _client_of(self, hops: list[str]) -> str | None:
        for hop in reversed(hops):
            address = canonical_address(hop)
            if address is None or not self._trusts(address):
                return address
        return canonical_address(hops[0])
