"""Money: exact digits, no floats, and minor units that come back."""

from decimal import Decimal

import msgspec
import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from app.lib.errors import ValidationFailed
from app.lib.wire.decoding import decode_json
from app.lib.wire.money import CURRENCY_DIGITS, Money


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("19.90", "EUR", 1990), ("0.01", "USD", 1), ("-5.00", "GBP", -500), ("1990", "JPY", 1990), ("1.234", "KWD", 1234)],
)
def test_amounts_have_the_digits_of_their_currency(amount: str, currency: str, units: int) -> None:
    money = decode_json(msgspec.json.encode({"amount": amount, "currency": currency}), Money)
    assert money.value == Decimal(amount)
    assert money.minor_units == units
    assert Money.from_minor_units(units, currency) == money
    assert msgspec.json.decode(msgspec.json.encode(money)) == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    ("raw", "pointer", "code"),
    [
        (b'{"amount":19.90,"currency":"EUR"}', "/amount", "invalid_type"),
        (b'{"amount":"19.9","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"19","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"19.900","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"19.00","currency":"JPY"}', "/amount", "invalid_format"),
        (b'{"amount":"019.90","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"+1.00","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"1e2","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"NaN","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"1,00","currency":"EUR"}', "/amount", "invalid_format"),
        (b'{"amount":"1.00\\n","currency":"EUR"}', "/amount", "invalid_format"),
        ('{"amount":"\u0661.00","currency":"EUR"}'.encode(), "/amount", "invalid_format"),
        (b'{"amount":"9999999999999999999.00","currency":"EUR"}', "/amount", "too_long"),
        (b'{"amount":"1.00","currency":"eur"}', "/currency", "invalid_format"),
        (b'{"amount":"1.00","currency":"XXX"}', "/currency", "invalid_choice"),
        (b'{"amount":"1.00"}', "/currency", "required"),
    ],
)
def test_other_amounts_are_refused(raw: bytes, pointer: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        decode_json(raw, Money)
    assert [(error.pointer, error.code.value) for error in caught.value.errors] == [(pointer, code)]


def test_the_currencies_are_those_that_are_in_use() -> None:
    """Babel's list is older than the euro in Bulgaria, and does not count units that are no everyday money as such."""
    in_use = {
        code
        for periods in get_global("territory_currencies").values()
        for code, _begin, end, is_tender in periods
        if end is None and is_tender
    }

    assert {"XCG", "ZWG"} <= CURRENCY_DIGITS.keys()
    assert in_use - CURRENCY_DIGITS.keys() == {"BGN"}
    assert CURRENCY_DIGITS.keys() - in_use == {"SVC", "UYI", "VED"}


@given(units=st.integers(-(10**13), 10**13), currency=st.sampled_from(sorted(CURRENCY_DIGITS)))
def test_minor_units_come_back(units: int, currency: str) -> None:
    money = Money.from_minor_units(units, currency)
    assert money.minor_units == units
    assert decode_json(msgspec.json.encode(money), Money) == money


def test_an_unknown_currency_has_no_minor_units() -> None:
    with pytest.raises(KeyError):
        Money.from_minor_units(1, "XXX")
