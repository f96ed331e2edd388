import pytest

from app.lib.addresses import parse_address, parse_network

pytestmark = pytest.mark.asvs("4.1.3")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("203.0.113.1:40001", "203.0.113.1"),
        ("[203.0.113.1]", "203.0.113.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[fe80::1%eth0]:443", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("::ffff:cb00:7101", "203.0.113.1"),
        ("[::ffff:203.0.113.1]:443", "203.0.113.1"),
        ("64:ff9b::203.0.113.1", "203.0.113.1"),
    ],
)
def test_every_spelling_of_an_address_is_one_address(text: str, address: str) -> None:
    assert str(parse_address(text)) == address
    assert parse_address(address) == parse_address(text)


@pytest.mark.parametrize(
    "text",
    ["", None, "unknown", "_hidden", "localhost", "203.0.113.1:", "203.0.113.1:port", "203.0.113.1:123456", "203.0.113",
     "203.0.113.009", "203.0.113.1 ", "203.0.113.1/32", "[2001:db8::1", "2001:db8::1]:443", "[[::1]]", "[]", "[]:80",
     "203.0.113.1:4\u0661", "2130706433", "1.2.3.4\x00", "::1%" + "x" * 100],
)  # fmt: skip
def test_what_is_no_address_is_none(text: str | None) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.5", "10.0.0.5/32"),
        ("10.0.0.5/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("[2001:db8::1]", "2001:db8::1/128"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ("::ffff:10.0.0.5/104", "10.0.0.0/8"),
        ("fe80::1%eth0", "fe80::1/128"),
        ("::/0", "::/0"),
    ],
)
def test_every_spelling_of_a_network_is_one_network(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


@pytest.mark.parametrize("text", ["", "*", "proxy", "10.0.0.0/33", "10.0.0.0/8/8", "/8"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_network(text)
