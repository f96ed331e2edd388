from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from app.domain.catalog.dtos import (
    ProductBatch,
    ProductBatchRead,
    ProductCreate,
    ProductPage,
    ProductPricePage,
    ProductRead,
    ProductUpdate,
    StockMovementCreate,
    StockMovementPage,
    StockMovementRead,
)
from app.domain.catalog.errors import InsufficientStock, ProductHasHistory, ProductWasOrdered, SkuTaken
from app.domain.catalog.permissions import PRODUCTS_WRITE
from app.domain.catalog.services.products import ProductService
from app.domain.catalog.services.queries import PRODUCT_SORT, ProductQueries
from app.domain.catalog.services.stock import StockService
from app.lib.audit import Origin
from app.lib.errors import PreconditionFailed, PreconditionRequired
from app.lib.http.answers import public_answer
from app.lib.http.conditional import TAGGED
from app.lib.http.injection import Injected, Paging, Precondition, Times
from app.lib.http.locations import created
from app.lib.http.rules import MAX_BODY, METADATA_BODY
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.security.policies import optional, permission
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO
from app.lib.wire.money import filter_bounds

AMOUNT = r"^-?(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,3})?$"
AmountFilter = Annotated[
    str | None, QueryParameter(max_length=19, pattern=AMOUNT, description="An amount; needs `currency`.")
]
CurrencyFilter = Annotated[
    str | None, QueryParameter(min_length=3, max_length=3, pattern="^[A-Z]{3}$", description="Code of ISO 4217.")
]
TagFilter = Annotated[
    # msgspec reads the one and the document is written from the other.
    list[Annotated[str, Meta(min_length=1, max_length=50), QueryParameter(min_length=1, max_length=50)]] | None,
    QueryParameter(name="tag", description="With this tag; repeat for any of several.", max_items=20),
]
SkuFilter = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=64), QueryParameter(min_length=1, max_length=64)]] | None,
    QueryParameter(description="With this SKU, exactly; repeat for any of several.", max_items=20),
]
Text = Annotated[
    str | None, QueryParameter(min_length=1, max_length=100, description="Part of the name, SKU or description.")
]
InStock = Annotated[bool | None, QueryParameter(description="Only products in stock, or only those out of stock.")]
ActiveFilter = Annotated[
    list[bool] | None, QueryParameter(description="Inactive products are for holders of `products:write`.", max_items=2)
]
Sort = Annotated[str | None, PRODUCT_SORT]
Products = Injected[ProductService]
Queries = Injected[ProductQueries]
Viewer = Injected[Principal | None]
_PUBLIC = public_answer("products", "product_tags", unless=[PRODUCTS_WRITE])


class ProductController(Controller):
    path = "/products"
    tags = ("Products",)
    dto = None
    return_dto = StructDTO[ProductRead]

    @get(
        guards=[optional],
        return_dto=StructDTO[ProductPage],
        summary="List products",
        description="Active products. `min_price` and `max_price` need `currency`.",
        opt=_PUBLIC,
    )
    async def list_products(
        self,
        queries: Queries,
        viewer: Viewer,
        paging: Paging,
        times: Times,
        q: Text = None,
        currency: CurrencyFilter = None,
        min_price: AmountFilter = None,
        max_price: AmountFilter = None,
        sku: SkuFilter = None,
        in_stock: InStock = None,
        tag: TagFilter = None,
        is_active: ActiveFilter = None,
        sort: Sort = None,
    ) -> ProductPage:
        bounds = filter_bounds(currency, min_price=min_price, max_price=max_price)
        chosen = {"sku": sku, "in_stock": in_stock, "tag": tag, "is_active": is_active}
        filters = {"q": q, "currency": currency, **bounds, **chosen, **times}
        return await queries.list_products(paging, sort, filters, viewer)

    @post(
        guards=[permission(PRODUCTS_WRITE)],
        dto=StructDTO[ProductCreate],
        summary="Create a product",
        description="A product with its price and stock. The `sku` is unique.",
        opt=IDEMPOTENT | METADATA_BODY | may_raise(SkuTaken),
    )
    async def create_product(self, data: JSONBody[ProductCreate], products: Products) -> Response[ProductRead]:
        product = await products.create(data)
        return created(product, f"/api/v1/products/{product.id}")

    @post(
        "/batch",
        guards=[permission(PRODUCTS_WRITE)],
        dto=StructDTO[ProductBatch],
        return_dto=StructDTO[ProductBatchRead],
        summary="Create up to 100 products",
        description="All of them, or none. The body may have 4.1 MB.",
        opt=IDEMPOTENT | {MAX_BODY: 4_100_000} | may_raise(SkuTaken),
    )
    async def create_products(self, data: JSONBody[ProductBatch], products: Products) -> Response[ProductBatchRead]:
        return created(ProductBatchRead(items=await products.create_many(data.items)), "/api/v1/products")

    @get(
        "/{product_id:uuid}",
        guards=[optional],
        summary="Get a product",
        description="With its price and stock. Inactive products only for holders of `products:write`.",
        opt=_PUBLIC,
    )
    async def get_product(self, product_id: FromPath[UUID], queries: Queries, viewer: Viewer) -> ProductRead:
        return await queries.get_product(product_id, viewer)

    @patch(
        "/{product_id:uuid}",
        guards=[permission(PRODUCTS_WRITE)],
        dto=StructDTO[ProductUpdate],
        summary="Update a product",
        description=(
            "Needs `If-Match`; `*` matches any version. Movements of stock, so sales, make no new one. A new price is "
            "for future orders; placed orders keep theirs."
        ),
        opt=METADATA_BODY | may_raise(SkuTaken, PreconditionFailed, PreconditionRequired),
    )
    async def update_product(
        self, product_id: FromPath[UUID], data: JSONBody[ProductUpdate], products: Products, if_match: Precondition
    ) -> ProductRead:
        return await products.update(product_id, data, if_match)

    @delete(
        "/{product_id:uuid}",
        guards=[permission(PRODUCTS_WRITE)],
        summary="Delete a product",
        description=(
            "Needs `If-Match`; `*` matches any version. A product that was ever ordered cannot be deleted: "
            "deactivate it instead."
        ),
        opt=may_raise(ProductHasHistory, ProductWasOrdered, PreconditionFailed, PreconditionRequired),
    )
    async def delete_product(self, product_id: FromPath[UUID], products: Products, if_match: Precondition) -> None:
        await products.delete(product_id, if_match)

    @post(
        "/{product_id:uuid}/stock-movements",
        guards=[permission(PRODUCTS_WRITE)],
        dto=StructDTO[StockMovementCreate],
        return_dto=StructDTO[StockMovementRead],
        summary="Create a stock movement",
        description=(
            "Adds pieces to the stock of a product or takes them away, and says why. It changes the product's "
            "`updated_at` and ETag, not its version, so it spoils no `If-Match`."
        ),
        opt=IDEMPOTENT | may_raise(InsufficientStock),
    )
    async def create_stock_movement(
        self,
        product_id: FromPath[UUID],
        data: JSONBody[StockMovementCreate],
        stock: Injected[StockService],
        origin: Injected[Origin],
    ) -> Response[StockMovementRead]:
        movement = await stock.adjust(product_id, data, origin)
        return created(movement, f"/api/v1/products/{product_id}/stock-movements/{movement.id}")

    @get(
        "/{product_id:uuid}/stock-movements",
        guards=[permission(PRODUCTS_WRITE)],
        return_dto=StructDTO[StockMovementPage],
        summary="List the stock movements of a product",
        description="Newest first. `order_id` is null for callers without `orders:read`.",
    )
    async def list_stock_movements(
        self, product_id: FromPath[UUID], queries: Queries, paging: Paging, viewer: Viewer
    ) -> StockMovementPage:
        return await queries.list_movements(product_id, paging, viewer)

    @get(
        "/{product_id:uuid}/stock-movements/{movement_id:uuid}",
        guards=[permission(PRODUCTS_WRITE)],
        return_dto=StructDTO[StockMovementRead],
        summary="Get a stock movement",
        description="`order_id` is null for callers without `orders:read`.",
        opt=TAGGED,
    )
    async def get_stock_movement(
        self, product_id: FromPath[UUID], movement_id: FromPath[UUID], queries: Queries, viewer: Viewer
    ) -> StockMovementRead:
        return await queries.get_movement(product_id, movement_id, viewer)

    @get(
        "/{product_id:uuid}/prices",
        guards=[permission(PRODUCTS_WRITE)],
        return_dto=StructDTO[ProductPricePage],
        summary="List the prices of a product",
        description="Every price that the product has had, newest first.",
    )
    async def list_product_prices(
        self, product_id: FromPath[UUID], queries: Queries, paging: Paging
    ) -> ProductPricePage:
        return await queries.list_prices(product_id, paging)
