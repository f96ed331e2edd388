"""Stock comes and goes by conditional updates, and each change is a line of the ledger."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from app.domain.catalog.dtos import MAX_STOCK, ProductRead, StockChange
from app.domain.catalog.errors import InsufficientStock, ProductNotFound, ProductsChanged, Shortage
from app.domain.catalog.repositories import ProductRepository, StockRepository
from app.domain.catalog.rows import Offer
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order: how many of what, and where in the request that was said."""

    product_id: UUID
    quantity: int
    pointer: str


class StockService:
    """In one unit of work. Several products are always changed in the order of their ids, so nobody waits in a
    circle.
    """

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._stock = StockRepository(unit.session)

    async def adjust(self, product_id: UUID, change: StockChange, origin: Origin) -> ProductRead:
        """Raises ``ProductNotFound``, ``InsufficientStock`` or ``ValidationFailed``."""
        balance = await self._stock.add(product_id, change.delta, at_most=MAX_STOCK)
        if balance is None:
            raise await self._refusal(product_id, change)
        movement = _movement(product_id, "adjustment", change.delta, balance, reason=change.reason)
        await self._stock.record([movement])
        await audit.record(
            self._unit.session, "product.stock_adjusted", origin, subject_id=product_id, delta=change.delta
        )
        return (await ProductRepository(session=self._unit.session).read(product_id)).to_read()

    async def offers(self, lines: Sequence[Wanted]) -> Mapping[UUID, Offer]:
        """What is on offer for these lines at the moment. Raises ``ValidationFailed`` or ``InsufficientStock``."""
        offers = await self._stock.offers(each.product_id for each in lines)
        on_offer = {key: offer for key, offer in offers.items() if offer.is_active}
        detail = "There is no such product on offer."
        missing = [
            FieldError(pointer=f"{each.pointer}/product_id", code=FieldCode.NOT_FOUND, detail=detail)
            for each in lines
            if each.product_id not in on_offer
        ]
        if missing:
            raise ValidationFailed(missing)
        _refuse_shortages(lines, on_offer)
        return on_offer

    async def take(self, lines: Sequence[Wanted], offers: Mapping[UUID, Offer], order_id: UUID) -> None:
        """Takes all lines on the terms of the offers. Raises ``InsufficientStock`` or ``ProductsChanged``; whoever
        calls gives up the transaction, or goes back to a savepoint, and with it what was taken.
        """
        movements = []
        ordered = sorted(lines, key=lambda each: each.product_id)
        for number, line in enumerate(ordered):
            balance = await self._stock.take(offers[line.product_id], line.quantity)
            if balance is None:
                not_taken = ordered[number:]
                _refuse_shortages(not_taken, await self._stock.offers(each.product_id for each in not_taken))
                raise ProductsChanged
            movements.append(_movement(line.product_id, "order", -line.quantity, balance, order_id=order_id))
        await self._stock.record(movements)

    async def give_back(self, quantities: Mapping[UUID, int], order_id: UUID, reason: str) -> None:
        """Puts pieces of an order back on the shelf."""
        movements = []
        for product_id, quantity in sorted(quantities.items()):
            if quantity and (balance := await self._stock.add(product_id, quantity)) is not None:
                movements.append(_movement(product_id, "return", quantity, balance, reason=reason, order_id=order_id))
        await self._stock.record(movements)

    async def _refusal(self, product_id: UUID, change: StockChange) -> Exception:
        offer = (await self._stock.offers([product_id])).get(product_id)
        if offer is None:
            return ProductNotFound()
        if change.delta > 0:
            detail = f"Stock is at most {MAX_STOCK}."
            return ValidationFailed([FieldError(pointer="/delta", code=FieldCode.TOO_LARGE, detail=detail)])
        shortage = Shortage(pointer="/delta", product_id=product_id, requested=-change.delta, available=offer.stock)
        return InsufficientStock([shortage])


def _refuse_shortages(lines: Sequence[Wanted], offers: Mapping[UUID, Offer]) -> None:
    shortages = [
        Shortage(
            pointer=f"{each.pointer}/quantity",
            product_id=each.product_id,
            requested=each.quantity,
            available=offers[each.product_id].stock,
        )
        for each in lines
        if each.product_id in offers and offers[each.product_id].stock < each.quantity
    ]
    if shortages:
        raise InsufficientStock(shortages)


def _movement(
    product_id: UUID,
    kind: str,
    delta: int,
    balance: int,
    *,
    reason: str | None = None,
    order_id: UUID | None = None,
) -> dict[str, object]:
    return {
        "product_id": product_id,
        "kind": kind,
        "delta": delta,
        "balance": balance,
        "reason": reason,
        "order_id": order_id,
    }
