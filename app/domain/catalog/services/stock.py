"""Stock comes and goes by conditional updates, and each change is a line of the ledger."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from app.domain.catalog.dtos import MAX_STOCK, ProductRead, StockChange
from app.domain.catalog.errors import InsufficientStock, ProductNotFound, ProductsChanged, Shortage
from app.domain.catalog.repositories.products import ProductRepository
from app.domain.catalog.repositories.stock import StockRepository
from app.domain.catalog.rows import Offer
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.statements import NewRow
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed

AT_ONCE = 10
"""Lines of an order that are taken by one statement; it is kept compiled for each number of them."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order: how many of what, and where in the request that was said."""

    product_id: UUID
    quantity: int
    pointer: str


class StockService:
    """In one unit of work. Several products are always changed in the order of their ids, and whatever refers to one is
    inserted after it was changed, so nobody waits in a circle.
    """

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._stock = StockRepository(unit.session)

    async def adjust(self, product_id: UUID, change: StockChange, if_match: IfMatch, origin: Origin) -> ProductRead:
        """Raises ``ProductNotFound``, ``PreconditionFailed``, ``InsufficientStock`` or ``ValidationFailed``."""
        if if_match.versions is not None:
            product = await ProductRepository(session=self._unit.session).lock(product_id)
            if product is None:
                raise ProductNotFound
            if_match.check(product.version)
        # What buyers give back may be above the bound, and then it can still go down.
        balance = await self._stock.add(product_id, change.delta, at_most=MAX_STOCK if change.delta > 0 else None)
        if balance is None:
            raise await self._refusal(product_id, change)
        movement = _movement(product_id, "adjustment", change.delta, balance, reason=change.reason)
        await self._stock.record([movement])
        await audit.record(self._unit, "product.stock_adjusted", origin, subject_id=product_id, delta=change.delta)
        return (await ProductRepository(session=self._unit.session).read(product_id)).to_read()

    async def offers(self, lines: Sequence[Wanted]) -> Mapping[UUID, Offer]:
        """What is on offer for these lines at the moment, enough of it or not. Raises ``ValidationFailed``."""
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
        return on_offer

    async def take(
        self, lines: Sequence[Wanted], offers: Mapping[UUID, Offer], order_id: UUID, beside: Mapping[UUID, NewRow]
    ) -> None:
        """Takes all lines on the terms of the offers, and inserts what is beside each product. Raises
        ``InsufficientStock`` or ``ProductsChanged``; whoever calls gives up the transaction, or goes back to where it
        was before, and with it what was taken.

        Rows that refer to a product lock it against deletion and other keys. Inserted before, two buyers would each
        hold such a lock while somebody who deletes the product stands between them.
        """
        ordered = sorted(lines, key=lambda each: each.product_id)
        for start in range(0, len(ordered), AT_ONCE):
            some = ordered[start : start + AT_ONCE]
            pieces = [(offers[each.product_id], each.quantity) for each in some]
            if not await self._stock.take(pieces, order_id, [beside[each.product_id] for each in some]):
                if len(ordered) == 1:  # of several, some may be taken now, and would seem to be missing
                    refuse_shortages(ordered, await self._stock.offers([ordered[0].product_id]))
                raise ProductsChanged

    async def give_back(self, quantities: Mapping[UUID, int], order_id: UUID, reason: str) -> None:
        """Puts pieces of an order back on the shelf."""
        ordered = sorted((product_id, quantity) for product_id, quantity in quantities.items() if quantity)
        for start in range(0, len(ordered), AT_ONCE):
            await self._stock.give_back(dict(ordered[start : start + AT_ONCE]), order_id, reason)

    async def _refusal(self, product_id: UUID, change: StockChange) -> Exception:
        offer = (await self._stock.offers([product_id])).get(product_id)
        if offer is None:
            return ProductNotFound()
        if change.delta > 0:
            detail = f"Stock is at most {MAX_STOCK}."
            return ValidationFailed([FieldError(pointer="/delta", code=FieldCode.TOO_LARGE, detail=detail)])
        shortage = Shortage(pointer="/delta", product_id=product_id, requested=-change.delta, available=offer.stock)
        return InsufficientStock([shortage])


def refuse_shortages(lines: Sequence[Wanted], offers: Mapping[UUID, Offer]) -> None:
    """Raises ``InsufficientStock`` with every line that the offers have not enough for."""
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


def _movement(product_id: UUID, kind: str, delta: int, balance: int, *, reason: str) -> dict[str, object]:
    return {
        "product_id": product_id,
        "kind": kind,
        "delta": delta,
        "balance": balance,
        "reason": reason,
        "order_id": None,
    }
