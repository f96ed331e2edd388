"""Amounts of money: a decimal string and a currency on the wire, ``Decimal`` in Python, minor units in the database.

Never a float anywhere: ``{"amount": "19.90", "currency": "EUR"}``.
"""

from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct

from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.wire.field_errors import FieldProblem
from app.lib.wire.shapes import Hint

_DIGITS_OF: Final = {0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
       "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
       "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
       "MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE "
       "SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW "
       "ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND"}  # fmt: skip
CURRENCY_DIGITS: Final = {code: digits for digits, codes in _DIGITS_OF.items() for code in codes.split()}
"""How many digits after the point a currency has (ISO 4217)."""

Amount = Annotated[
    str,
    Meta(min_length=1, max_length=19, pattern=r"^-?(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,3})?$(?!\n)", examples=["19.90"]),
    Hint("Must be a decimal string such as '19.90'."),
]
"""A decimal string. Its minor units fit a signed 64 bit integer in every currency."""

Currency = Annotated[
    str,
    Meta(min_length=3, max_length=3, pattern=r"^[A-Z]{3}$(?!\n)", examples=["EUR"]),
    Hint("Must be a currency code of ISO 4217 such as 'EUR'."),
]


class Money(Struct, frozen=True, forbid_unknown_fields=True):
    """An amount in a currency. Making one with the wrong digits raises ``FieldProblem``."""

    amount: Amount
    currency: Currency

    def __post_init__(self) -> None:
        digits = CURRENCY_DIGITS.get(self.currency)
        if digits is None:
            raise FieldProblem(FieldCode.INVALID_CHOICE, "Is not a currency that this service knows.", "/currency")
        if len(self.amount.partition(".")[2]) != digits:
            detail = f"Must have {digits or 'no'} digits after the point in this currency."
            raise FieldProblem(FieldCode.INVALID_FORMAT, detail, "/amount")

    @property
    def value(self) -> Decimal:
        return Decimal(self.amount)

    @property
    def minor_units(self) -> int:
        """The amount in the currency's smallest unit: 1990 for 19.90 EUR, 1990 for 1990 JPY."""
        return int(self.value.scaleb(CURRENCY_DIGITS[self.currency]))

    @classmethod
    def from_minor_units(cls, units: int, currency: str) -> "Money":
        """The inverse of :attr:`minor_units`. Raises ``KeyError`` for a currency that is not known."""
        return cls(str(Decimal(units).scaleb(-CURRENCY_DIGITS[currency])), currency)


def filter_bounds(currency: str | None, **amounts: str | None) -> dict[str, int | None]:
    """Amounts of query parameters such as ``min_price`` in minor units, by the parameters' names.

    Raises ``ValidationFailed`` for amounts without a currency, and for those that are none in it.
    """
    errors: list[FieldError] = []
    bounds: dict[str, int | None] = dict.fromkeys(amounts)
    for name, amount in amounts.items():
        if amount is None:
            continue
        if currency is None:
            detail = f"Is required with '{name}'."
            errors.append(FieldError(parameter="currency", code=FieldCode.REQUIRED, detail=detail))
            break
        try:
            bounds[name] = Money(amount, currency).minor_units
        except FieldProblem as problem:
            place = "currency" if problem.pointer == "/currency" else name
            errors.append(FieldError(parameter=place, code=problem.code, detail=problem.detail))
    if errors:
        raise ValidationFailed(errors)
    return bounds
