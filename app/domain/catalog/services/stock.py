"""Stock comes and goes by conditional updates, and each change is a line of the ledger."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from app.domain.catalog.dtos import MAX_STOCK, StockMovementCreate, StockMovementRead
from app.domain.catalog.errors import InsufficientStock, ProductNotFound, ProductsChanged, Shortage
from app.domain.catalog.repositories.stock import StockRepository
from app.domain.catalog.rows import ProductTerms
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed


class CartLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order; ``pointer`` leads to it in the request."""

    product_id: UUID
    quantity: int
    pointer: str


class StockService:
    """In one unit of work. Several products are always changed in the order of their ids, so there are no deadlocks."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._stock = StockRepository(unit)

    async def adjust(self, product_id: UUID, change: StockMovementCreate, origin: Origin) -> StockMovementRead:
        """Raises ``ProductNotFound``, ``InsufficientStock`` or ``ValidationFailed``."""
        await self.unit.wait_turn(product_id)
        movement = await self._stock.adjust(product_id, change.delta, change.reason)
        if movement is None:
            found = (await self._stock.terms([product_id])).get(product_id)
            if found is None:
                raise ProductNotFound
            if change.delta > 0:
                detail = f"Stock is at most {MAX_STOCK}."
                raise ValidationFailed([FieldError(pointer="/delta", code=FieldCode.TOO_LARGE, detail=detail)])
            shortage = Shortage(pointer="/delta", product_id=product_id, requested=-change.delta, available=found.stock)
            raise InsufficientStock([shortage])
        await audit.record(self.unit, "product.stock_adjusted", origin, subject_id=product_id, delta=change.delta)
        return movement

    async def terms(self, lines: Sequence[CartLine]) -> Mapping[UUID, ProductTerms]:
        """The terms of each line at the moment. Raises ``ValidationFailed`` for products that are not on offer, and
        ``InsufficientStock``.
        """
        found = await self._stock.terms(each.product_id for each in lines)
        on_offer = {key: terms for key, terms in found.items() if terms.is_active}
        detail = "There is no such product on offer."
        missing = [
            FieldError(pointer=f"{each.pointer}/product_id", code=FieldCode.NOT_FOUND, detail=detail)
            for each in lines
            if each.product_id not in on_offer
        ]
        if missing:
            raise ValidationFailed(missing)
        return on_offer

    async def sell(self, lines: Sequence[CartLine], terms: Mapping[UUID, ProductTerms], order_id: UUID) -> None:
        """Takes every line from the stock on these terms. Raises ``InsufficientStock`` or ``ProductsChanged``: then
        go back to before the call, because some of the lines may have been taken.

        Rows that refer to a product lock it against deletion, so insert them afterwards: inserted before, two buyers
        would each hold such a lock while a deletion of the product waits between them.
        """
        ordered = sorted(lines, key=lambda each: each.product_id)
        if not await self._stock.sell([(terms[each.product_id], each.quantity) for each in ordered], order_id):
            if len(ordered) == 1:  # of several, some may be taken now, and would seem to be missing
                refuse_shortages(ordered, await self._stock.terms([ordered[0].product_id]))
            raise ProductsChanged

    async def put_back(self, quantities: Mapping[UUID, int], order_id: UUID, reason: str) -> None:
        """Returns pieces of an order to the stock. Raises ``NotYourTurn``."""
        self.unit.take_turn(*quantities)
        ordered = {product_id: quantities[product_id] for product_id in sorted(quantities) if quantities[product_id]}
        await self._stock.put_back(ordered, order_id, reason)


def refuse_shortages(lines: Sequence[CartLine], terms: Mapping[UUID, ProductTerms]) -> None:
    """Raises ``InsufficientStock`` with every line that asks for more than there is."""
    shortages = [
        Shortage(
            pointer=f"{each.pointer}/quantity",
            product_id=each.product_id,
            requested=each.quantity,
            available=terms[each.product_id].stock,
        )
        for each in lines
        if each.product_id in terms and terms[each.product_id].stock < each.quantity
    ]
    if shortages:
        raise InsufficientStock(shortages)
