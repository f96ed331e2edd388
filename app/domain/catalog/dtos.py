"""Products on the wire."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.http.conditional import Version, Versioned
from app.lib.pagination.envelope import Page
from app.lib.wire.decoding import Check, FieldProblem, Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import Bio, SingleLine
from app.lib.wire.metadata import Metadata, MetadataPatch
from app.lib.wire.money import Amount, Currency, Money

MAX_PRICE_UNITS = 999_999_999
"""In the currency's smallest unit; so that the largest order, 100 lines of 1 000 pieces, is an amount on the wire."""
MAX_STOCK = 1_000_000_000
MAX_BATCH = 100


def _check_price(price: Money) -> Money:
    if price.value < 0:
        raise FieldProblem(FieldCode.TOO_SMALL, "Must not be negative.", "/amount")
    if price.minor_units > MAX_PRICE_UNITS:
        highest = Money.from_minor_units(MAX_PRICE_UNITS, price.currency).amount
        raise FieldProblem(FieldCode.TOO_LARGE, f"Must be at most {highest}.", "/amount")
    return price


_PRICE_LIMITS = f"From 0 to {MAX_PRICE_UNITS} of the currency's smallest unit: 9999999.99 EUR."

Price = Annotated[Money, Meta(description=_PRICE_LIMITS), Check(_check_price)]
"""The price of one piece."""

Sku = Annotated[
    str,
    Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)", examples=["MUG-BLUE-03"]),
    Hint("Must be letters, digits, dots, hyphens and underscores, with a letter or digit first."),
]
Tag = Annotated[
    str,
    Meta(min_length=1, max_length=50, pattern=r"^[a-z0-9][a-z0-9-]*$(?!\n)", examples=["kitchen"]),
    Hint("Must be lower-case letters, digits and hyphens, with a letter or digit first."),
]
ProductName = Annotated[SingleLine, Meta(examples=["Blue mug"])]
_Description = Annotated[Bio, Meta(examples=["Holds a third of a litre. Dishwasher-safe."])]
_Reason = Annotated[SingleLine, Meta(examples=["Delivery from the supplier."])]
Tags = Annotated[list[Tag], Meta(max_length=20)]
Stock = Annotated[int, Meta(ge=0, le=MAX_STOCK, examples=[50])]
_Pieces = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
_Balance = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class ProductRead(Versioned):
    """A product. Movements of its stock, so sales, change `updated_at` and the ETag, and not the version."""

    is_live: ClassVar[bool] = True

    id: UUID
    sku: Sku
    name: ProductName
    description: _Description | None
    price: Money
    stock: Annotated[_Balance, Meta(examples=[50])]
    is_active: Annotated[bool, Meta(examples=[True])]
    tags: Tags
    metadata: Annotated[Metadata, Meta(description="Null for those who may not update the product.")] | None
    created_at: datetime
    updated_at: datetime
    version: Version


ProductPage = Page[ProductRead]


class ProductCreate(Input):
    """A new product."""

    sku: Sku
    name: ProductName
    price: Price
    stock: Stock = 0
    description: _Description | None = None
    is_active: bool = True
    tags: Tags = msgspec.field(default_factory=list)
    metadata: Metadata = msgspec.field(default_factory=dict)


class ProductBatch(Input):
    """New products: all are created, or none."""

    items: Annotated[list[ProductCreate], Meta(min_length=1, max_length=MAX_BATCH)]


class ProductBatchRead(Output):
    """The created products, in the order of the request."""

    items: Annotated[list[ProductRead], Meta(max_length=MAX_BATCH)]


class PricePatch(Input):
    """A merge patch of a price (RFC 7396): absent members stay."""

    amount: Amount | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET

    def merged(self, price: Money) -> Money:
        """The price afterwards. Raises ``ValidationFailed`` when it is not valid."""
        try:
            amount = price.amount if self.amount is UNSET else self.amount
            currency = price.currency if self.currency is UNSET else self.currency
            return _check_price(Money(amount, currency))
        except FieldProblem as problem:
            error = FieldError(pointer=f"/price{problem.pointer}", code=problem.code, detail=problem.detail)
            raise ValidationFailed([error]) from None


class ProductUpdate(Input):
    """A merge patch of a product. Its stock changes by movements only."""

    sku: Sku | UnsetType = UNSET
    name: ProductName | UnsetType = UNSET
    price: Annotated[PricePatch, Meta(description=_PRICE_LIMITS)] | UnsetType = UNSET
    description: _Description | None | UnsetType = UNSET
    is_active: Annotated[bool, Meta(examples=[True])] | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: MetadataPatch | None | UnsetType = UNSET


def _check_delta(delta: int) -> int:
    if delta == 0:
        raise FieldProblem(FieldCode.INVALID_CHOICE, "Must not be 0.")
    return delta


class StockMovementCreate(Input):
    """Pieces that were added (positive) or taken, and why."""

    delta: Annotated[int, Meta(ge=-MAX_STOCK, le=MAX_STOCK, examples=[10]), Check(_check_delta)]
    reason: _Reason


class StockMovementRead(Output):
    """A line of the stock ledger; ``balance`` is the stock right after it."""

    id: UUID
    product_id: UUID
    kind: Annotated[
        Literal["initial", "adjustment", "order", "return"],
        Meta(title="StockMovementKind", description="Why a stock changed.", examples=["adjustment"]),
    ]
    delta: Annotated[_Pieces, Meta(examples=[10])]
    balance: Annotated[_Balance, Meta(examples=[60])]
    reason: _Reason | None
    order_id: Annotated[UUID | None, Meta(examples=[None])]
    created_at: datetime


StockMovementPage = Page[StockMovementRead]


class ProductPriceRead(Output):
    """A price and when it became valid."""

    id: UUID
    price: Money
    created_at: datetime


ProductPricePage = Page[ProductPriceRead]
