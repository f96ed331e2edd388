"""Where a server may listen, found out before anything is started."""

import errno
import socket
import sys

_REASONS = {
    errno.EADDRINUSE: "is in use by another process",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
    errno.EACCES: "needs more rights",
}


class AddressUnavailable(Exception):
    """Nothing can listen there; the text is a clause such as ``127.0.0.1:8000 is in use by another process``."""

    is_taken = False


def claim(host: str, port: int, count: int) -> list[socket.socket]:
    """Sockets on ``port``, after a test that it is free; clients are taken once ``listen`` is called. Raises
    :class:`AddressUnavailable`.

    On Linux there are ``count``, among which the kernel distributes new connections: one for each worker. They share
    the port in a way (``SO_REUSEPORT``) that lets a second server of the same user share it too, hence the test.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise AddressUnavailable(f"{host} is not the name of an address") from exc
    family, _, _, _, found_address = min(found, key=lambda info: info[0] != socket.AF_INET)
    address = str(found_address[0]), port
    try:
        socket.create_server(address, family=family).close()
        return [_bound(address, family) for _ in range(count if sys.platform == "linux" else 1)]
    except OSError as exc:
        failure = AddressUnavailable(f"{shown} {_REASONS.get(exc.errno or 0, 'cannot be listened on')}")
        failure.is_taken = exc.errno == errno.EADDRINUSE
        raise failure from exc


def _bound(address: tuple[str, int], family: int) -> socket.socket:
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener
