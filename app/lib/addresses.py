"""IP addresses of clients and proxies, in every form in which servers, proxies and people write them."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_LENGTH = 64
"""Characters. An address with brackets, zone and port is shorter; keeps the memory small for any input."""

_WITH_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
_MAPPED = IPv6Network("::ffff:0:0/96")
_TRANSLATED = IPv6Network("64:ff9b::/96")  # RFC 6052


def parse_address(text: str | None) -> Address | None:
    """The address in ``203.0.113.1:40001``, ``[2001:db8::1]:443``, ``fe80::1%eth0`` and so on, without port and zone.

    IPv4 inside IPv6 (mapped, or translated by NAT64) is the IPv4 address: that is how a listener on ``::`` and a
    gateway name the same client. None for what is no address.
    """
    if not text or len(text) > MAX_LENGTH:
        return None
    return _parse(text)


@lru_cache(maxsize=8192)
def _parse(text: str) -> Address | None:
    match = _WITH_PORT.fullmatch(text)
    try:
        parsed = ip_address((match[1] or match[2]) if match else text)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        parsed = IPv6Address(int(parsed))  # a zone means something on one machine only
        if parsed in _MAPPED or parsed in _TRANSLATED:
            return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed


def canonical_address(text: str) -> str | None:
    """The one way to write the address. None for what is no address."""
    return _canonical(text) if len(text) <= MAX_LENGTH else None


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str | None:
    address = parse_address(text)
    return str(address) if address else None


def is_loopback(host: str) -> bool:
    """Whether it is an address or a name (RFC 6761) that leads nowhere but to this machine."""
    address = parse_address(host)
    return address.is_loopback if address else f".{host.lower()}".endswith(".localhost")


def parse_network(text: str) -> Network:
    """``10.0.0.0/8``, also with host bits (``10.0.0.5/8``) or as IPv6 (``::ffff:10.0.0.0/104``), or a single address.

    Raises ``ValueError``.
    """
    if "/" not in text:
        address = parse_address(text)
        if address is None:
            raise ValueError("expected addresses or networks such as 10.0.0.0/8")
        return ip_network(address)
    network = ip_network(text, strict=False)
    for outer in (_MAPPED, _TRANSLATED):
        if isinstance(network, IPv6Network) and network.subnet_of(outer):
            return IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
    return network
