"""Which client an address stands for."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address

_UNKNOWN = "unknown"
_MAX_LENGTH = 64  # an address with a zone is shorter; keeps the cache small whatever arrives


def client_key(address: str | None) -> str:
    """The part of an address that one client is assumed to hold.

    IPv4 as it is; IPv6 its /64, because a subscriber has at least that many addresses to choose from; IPv4-mapped
    IPv6 as the IPv4 address. What is no address is ``unknown``, so all such clients share one counter. The
    address must be one that the server vouches for: the peer's, or a trusted proxy's word.
    """
    if not address or len(address) > _MAX_LENGTH:
        return _UNKNOWN
    return _key_of(address)


@lru_cache(maxsize=8192)
def _key_of(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return _UNKNOWN
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), 64), strict=False))
