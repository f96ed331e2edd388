"""Litestar with advanced-alchemy's defaults: its plugin, its services with ``list_and_count`` and ``to_schema``, and
Litestar's own JWT authentication with a look-up of the user per request. Served by granian, like the service itself.
"""

import os
from collections.abc import AsyncIterator
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from advanced_alchemy.extensions.litestar import SQLAlchemyAsyncConfig, SQLAlchemyPlugin
from advanced_alchemy.filters import LimitOffset, OrderBy
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from advanced_alchemy.service import SQLAlchemyAsyncRepositoryService
from litestar import Litestar, Request, Response, Router, get
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.security.jwt import JWTAuth, Token
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from benchmarks.peers.models import Post, Product, User
from benchmarks.peers.structs import Page, PostRead, PostSummary, ProductRead, UserRead

S = TypeVar("S", bound=msgspec.Struct)


class UserService(SQLAlchemyAsyncRepositoryService[User]):
    class Repo(SQLAlchemyAsyncRepository[User]):
        model_type = User

    repository_type = Repo


class PostService(SQLAlchemyAsyncRepositoryService[Post]):
    class Repo(SQLAlchemyAsyncRepository[Post]):
        model_type = Post

    repository_type = Repo


class ProductService(SQLAlchemyAsyncRepositoryService[Product]):
    class Repo(SQLAlchemyAsyncRepository[Product]):
        model_type = Product

    repository_type = Repo


async def provide_users(db_session: AsyncSession) -> AsyncIterator[UserService]:
    async with UserService.new(session=db_session) as service:
        yield service


async def provide_posts(db_session: AsyncSession) -> AsyncIterator[PostService]:
    async with PostService.new(session=db_session) as service:
        yield service


async def provide_products(db_session: AsyncSession) -> AsyncIterator[ProductService]:
    async with ProductService.new(session=db_session) as service:
        yield service


alchemy = SQLAlchemyAsyncConfig(connection_string=os.environ["DATABASE_URL"], before_send_handler="autocommit")
alchemy.engine_config.pool_size = 10
alchemy.session_config.expire_on_commit = False


async def user_of(token: Token, connection: ASGIConnection[Any, Any, Any, Any]) -> User | None:
    session = alchemy.provide_session(connection.app.state, connection.scope)
    user = await session.get(User, UUID(token.sub))
    return user if user and user.is_active else None


def superuser(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    if not connection.user.is_superuser:
        raise PermissionDeniedException


class Paging:
    def __init__(
        self,
        page: FromQuery[int] = 1,
        page_size: FromQuery[int] = 20,
        include_total: FromQuery[bool] = True,
    ) -> None:
        self.page, self.size, self.include_total = page, page_size, include_total

    async def read(self, service: Any, schema: type[S], condition: Any, *, sort: str) -> Page[S]:
        filters = [condition, LimitOffset(self.size, (self.page - 1) * self.size)]
        filters += [OrderBy(sort, "desc"), OrderBy("id", "desc")]
        if self.include_total:
            rows, total = await service.list_and_count(*filters)
        else:
            rows, total = await service.list(*filters), None
        items = service.to_schema(rows, schema_type=schema).items
        return Page(items, total, self.page, self.size, None if total is None else -(-total // self.size))


@get("/users/me")
async def get_me(request: Request[User, Token, Any], users: NamedDependency[UserService]) -> UserRead:
    return users.to_schema(request.user, schema_type=UserRead)


@get("/users/{user_id:uuid}", guards=[superuser])
async def get_user(user_id: FromPath[UUID], users: NamedDependency[UserService]) -> UserRead:
    return users.to_schema(await users.get(user_id), schema_type=UserRead)


@get("/users", guards=[superuser])
async def list_users(users: NamedDependency[UserService], paging: NamedDependency[Paging]) -> Page[UserRead]:
    return await paging.read(users, UserRead, User.deleted_at.is_(None), sort="created_at")


@get("/posts")
async def list_posts(posts: NamedDependency[PostService], paging: NamedDependency[Paging]) -> Page[PostSummary]:
    return await paging.read(posts, PostSummary, Post.public_from <= func.now(), sort="public_from")


@get("/posts/{slug:str}")
async def get_post(
    slug: FromPath[str], request: Request[Any, Any, Any], posts: NamedDependency[PostService]
) -> Response[PostRead | None]:
    public = Post.public_from <= func.now()
    post = await posts.get_one_or_none(public, Post.slug == slug, load=[undefer(Post.content)])
    if post is None:
        raise NotFoundException
    tag = {"ETag": f'"{post.version}"'}
    if request.headers.get("If-None-Match") == tag["ETag"]:
        return Response(None, status_code=304, headers=tag)
    return Response(posts.to_schema(post, schema_type=PostRead), headers=tag)


@get("/products")
async def list_products(
    products: NamedDependency[ProductService], paging: NamedDependency[Paging]
) -> Page[ProductRead]:
    return await paging.read(products, ProductRead, Product.is_active.is_(True), sort="created_at")


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


auth = JWTAuth[User](
    retrieve_user_handler=user_of,
    token_secret=os.environ["SECRET_KEY"],
    accepted_audiences=["lodestar"],
    exclude=["^/health", "^/api/v1/posts", "^/api/v1/products"],
)
app = Litestar(
    [health, Router("/api/v1", route_handlers=[get_me, get_user, list_users, list_posts, get_post, list_products])],
    plugins=[SQLAlchemyPlugin(alchemy)],
    on_app_init=[auth.on_app_init],
    dependencies={
        "users": Provide(provide_users),
        "posts": Provide(provide_posts),
        "products": Provide(provide_products),
        "paging": Provide(Paging, sync_to_thread=False),
    },
    openapi_config=None,
)
