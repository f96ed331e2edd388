import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from app.lib.serving.addresses import AddressUnavailable, claim
from tests.support.processes import free_port


def test_a_name_becomes_an_address() -> None:
    for host, address in (("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0")):  # noqa: S104 - compared
        port = free_port()
        with opened(host, port, 1) as [listener]:
            assert listener.getsockname() == (address, port)


def test_a_shared_port_is_taken_all_the_same() -> None:
    """Another server's workers share their port with any process that asks, and we must not become one of them."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(AddressUnavailable, match=f"127.0.0.1:{port} is in use by another process"):
            claim("127.0.0.1", port, 1)
        with pytest.raises(AddressUnavailable, match="is in use"):
            claim("0.0.0.0", port, 1)  # noqa: S104 - refused


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all workers share one")
def test_each_worker_has_a_socket_of_its_own_and_none_is_reached_before_it_listens() -> None:
    port = free_port()
    with opened("127.0.0.1", port, 3) as listeners:
        assert [each.getsockname()[1] for each in listeners] == [port] * 3
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 30)
        listeners[1].listen()
        socket.create_connection(("127.0.0.1", port), 30).close()

    with opened("127.0.0.1", port, 1):
        pass  # it is free again


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", r"192\.0\.2\.1:8000 is not an address of this machine"),
        ("2001:db8::1", r"\[2001:db8::1\]:8000"),
        ("no..name", r"no\.\.name is not the name of an address"),
    ],
)
def test_what_is_no_address_of_ours_is_refused(host: str, reason: str) -> None:
    with pytest.raises(AddressUnavailable, match=reason):
        claim(host, 8000, 1)


@contextmanager
def opened(host: str, port: int, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(each) for each in claim(host, port, count)]
