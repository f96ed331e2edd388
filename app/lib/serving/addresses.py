"""Where a server may listen, found out before anything is started."""

import errno
import socket

_REASONS = {
    errno.EADDRINUSE: "is in use by another process",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
    errno.EACCES: "needs more rights",
}


class AddressUnavailable(Exception):
    """Nothing can listen there; the text is a clause such as ``127.0.0.1:8000 is in use by another process``."""


def claim(host: str, port: int) -> str:
    """The IP address of ``host``, after a test that ``port`` is free on it. Raises :class:`AddressUnavailable`.

    granian takes IP addresses only, and its workers share a port in a way (``SO_REUSEPORT``) that lets a second
    server of the same user share it too, so that requests go to either of them.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise AddressUnavailable(f"{host} is not the name of an address") from exc
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    try:
        socket.create_server((str(address[0]), port), family=family).close()
    except OSError as exc:
        raise AddressUnavailable(f"{shown} {_REASONS.get(exc.errno or 0, 'cannot be listened on')}") from exc
    return str(address[0])
