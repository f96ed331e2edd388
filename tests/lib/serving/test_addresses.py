import socket

import pytest

from app.lib.serving.addresses import AddressUnavailable, claim
from tests.support.processes import free_port


def test_a_name_becomes_an_address() -> None:
    assert claim("localhost", free_port()) == "127.0.0.1"
    assert claim("127.0.0.1", free_port()) == "127.0.0.1"
    assert claim("0.0.0.0", free_port()) == "0.0.0.0"  # noqa: S104 - compared


def test_a_shared_port_is_taken_all_the_same() -> None:
    """Another server's workers share their port with any process that asks, and we must not become one of them."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(AddressUnavailable, match=f"127.0.0.1:{port} is in use by another process"):
            claim("127.0.0.1", port)
        with pytest.raises(AddressUnavailable, match="is in use"):
            claim("0.0.0.0", port)  # noqa: S104 - refused


def test_a_port_is_free_again_after_the_test() -> None:
    port = free_port()

    assert claim("127.0.0.1", port) == claim("127.0.0.1", port)


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
        claim(host, 8000)
