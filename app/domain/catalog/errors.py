from collections.abc import Sequence
from uuid import UUID

import msgspec

from app.lib.errors import Conflict, Duplicate, ErrorCode, FieldCode, FieldError, NotFound


class ProductNotFound(NotFound):
    detail = "There is no such product, or it is not active."


class MovementNotFound(NotFound):
    detail = "There is no such movement of this product's stock."


class SkuTaken(Duplicate):
    detail = "Another product has this SKU."

    def __init__(self, pointers: Sequence[str] = ("/sku",)) -> None:
        super().__init__(
            errors=[FieldError(pointer=each, code=FieldCode.NOT_UNIQUE, detail="Is taken.") for each in pointers[:50]]
        )


class ProductWasOrdered(Conflict):
    detail = "The product has been ordered, so it cannot be deleted. Deactivate it instead: PATCH `is_active`."


class ProductHasHistory(Conflict):
    detail = "The product has a long history of stock and prices, so it cannot be deleted. Deactivate it instead."


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """A line that asks for more than the stock has; ``pointer`` leads to its quantity in the request."""

    pointer: str
    product_id: UUID
    requested: int
    available: int


class InsufficientStock(Conflict):
    """Names each line that asks for too much, and what is left. Nothing was taken."""

    code = ErrorCode("insufficient_stock", "Not enough in stock", "Lower the quantities of the named lines.")

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        count = len(shortages)
        super().__init__(
            f"There is not enough left for {count} line{'s' if count != 1 else ''}.",
            errors=[
                FieldError(pointer=each.pointer, code=FieldCode.TOO_LARGE, detail=f"{each.available} left.")
                for each in shortages[:50]
            ],
            extensions={
                "items": [
                    {"product_id": str(each.product_id), "requested": each.requested, "available": each.available}
                    for each in shortages
                ]
            },
        )


class ProductsChanged(Conflict):
    """A price, a name or the stock was changed between reading it and selling by it."""

    detail = "Products of this order were changed at the same moment. Read them again and repeat the request."
