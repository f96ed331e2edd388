"""No connection to an address that is not public, however the name leads there."""

import httpcore
import pytest

from app.lib.outgoing import Failure, GuardedNetwork, Unreachable, is_public
from tests.support.receivers import HOST, PUBLIC, Names, Wire, receiver, sender_to

pytestmark = pytest.mark.asvs("1.3.6")

URL = f"https://{HOST}/in"

REFUSED = [
    "0.0.0.0",  # noqa: S104 - not bound to
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:93.184.215.14", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::5db8:d70e", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::1", "2001:10::1", "2001:20::1",
    "2001:db8::1", "2002:7f00:1::1", "2002:5db8:d70e::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1",
    "", "localhost", "example.com", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.1\n",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "9.255.255.255", "11.0.0.0", "93.184.215.14", "100.63.255.255", "100.128.0.0", "126.255.255.255",
     "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
     "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00:1450::1"],
)  # fmt: skip
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


async def test_a_name_is_looked_up_once_and_the_checked_address_is_connected_to() -> None:
    """DNS rebinding: the second answer would be this machine."""
    names = Names([PUBLIC], ["127.0.0.1"])
    async with receiver() as one:
        wire = Wire({PUBLIC: one.port, "127.0.0.1": one.port})
        sender = sender_to(one.port, names=names, wire=wire)
        first = await sender.send(URL, {}, b"{}")
        assert (names.asked, wire.connected) == ([(HOST, 443)], [PUBLIC])

        second = await sender.send(URL, {}, b"{}")

    assert (first.failure, second.failure) == (None, Failure.ADDRESS_REFUSED)
    assert names.asked == [(HOST, 443)] * 2
    assert wire.connected == [PUBLIC]
    assert one.connections == 1


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1%1"])
@pytest.mark.parametrize("public_first", [True, False])
async def test_one_private_address_among_several_spoils_all(private: str, *, public_first: bool) -> None:
    wire = Wire({PUBLIC: 1, private: 1})
    network = GuardedNetwork(Names([PUBLIC, private] if public_first else [private, PUBLIC]), wire=wire)

    with pytest.raises(Unreachable, match="address_refused"):
        await network.connect_tcp(HOST, 443)

    assert wire.connected == []


async def test_an_address_in_the_url_is_checked_like_any_other() -> None:
    wire = Wire({})
    for host in ("127.0.0.1", "[::1]", "169.254.169.254"):
        sender = sender_to(0, names=Names([host.strip("[]")]), wire=wire)
        assert (await sender.send(f"https://{host}/", {}, b"{}")).failure is Failure.ADDRESS_REFUSED

    assert wire.connected == []


async def test_a_second_address_is_tried_when_the_first_is_dead() -> None:
    async with receiver() as one:
        wire = Wire({PUBLIC: one.port})
        sender = sender_to(one.port, names=Names(["2606:4700::1111", PUBLIC]), wire=wire)
        answer = await sender.send(URL, {}, b"{}")

    assert answer.failure is None
    assert wire.connected == ["2606:4700::1111", PUBLIC]


async def test_not_more_than_four_addresses_are_tried() -> None:
    wire = Wire({})
    network = GuardedNetwork(Names([f"1.1.1.{i}" for i in range(1, 100)]), wire=wire)

    with pytest.raises(httpcore.ConnectError):
        await network.connect_tcp(HOST, 443)

    assert wire.connected == ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]


async def test_more_addresses_do_not_hide_a_private_one() -> None:
    wire = Wire({})
    network = GuardedNetwork(Names([*(f"1.1.1.{i}" for i in range(1, 9)), "10.0.0.1"]), wire=wire)

    with pytest.raises(Unreachable, match="address_refused"):
        await network.connect_tcp(HOST, 443)


async def test_a_name_without_addresses_leads_nowhere() -> None:
    async def fails(_host: str, _port: int) -> list[str]:
        raise OSError

    for resolve in (Names([]), fails):
        with pytest.raises(Unreachable, match="name_not_found"):
            await GuardedNetwork(resolve, wire=Wire({})).connect_tcp(HOST, 443)


async def test_private_addresses_may_be_allowed() -> None:
    async with receiver() as one:
        stream = await GuardedNetwork(
            Names(["127.0.0.1"]), allow_private=True, wire=Wire({"127.0.0.1": one.port})
        ).connect_tcp(HOST, 443)
        await stream.aclose()
