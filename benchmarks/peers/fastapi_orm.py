"""The usual FastAPI application: uvicorn, async SQLAlchemy ORM, Pydantic, OAuth2PasswordBearer, OFFSET and count(*).

As FastAPI's tutorial and its full-stack template have it: one session per request by a dependency with ``yield``, the
user of the token read from the database in each request, ``response_model`` on each route.
"""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import jwt
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Response
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import undefer

from benchmarks.peers.models import Post, Product, User

T = TypeVar("T")

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=10, max_overflow=0)
session_of = async_sessionmaker(engine, expire_on_commit=False)
token_of = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/login")


class Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class UserRead(Read):
    id: UUID
    email: str
    username: str | None
    name: str | None
    locale: str
    is_active: bool
    is_verified: bool
    is_superuser: bool
    is_service: bool
    roles: list[str]
    metadata: dict[str, str] = Field(validation_alias="metadata_")
    created_at: datetime
    updated_at: datetime
    version: int


class PostSummary(Read):
    id: UUID
    author_id: UUID
    title: str
    slug: str
    excerpt: str
    tags: list[str]
    is_published: bool
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class PostRead(PostSummary):
    content: str
    metadata: None = Field(validation_alias="no_metadata")  # shown to its author only


class Money(BaseModel):
    amount: str
    currency: str


class ProductRead(Read):
    id: UUID
    sku: str
    name: str
    description: str | None
    price: Money
    stock: int
    is_active: bool
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    version: int
    metadata: None = Field(validation_alias="no_metadata")  # shown to those who may change it only


class Page(Read, Generic[T]):
    items: list[T]
    total: int | None
    total_capped: bool = False
    page: int
    page_size: int
    pages: int | None
    next_cursor: str | None = None


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_of() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


async def get_current_user(session: SessionDep, token: Annotated[str, Depends(token_of)]) -> User:
    try:
        claims = jwt.decode(token, os.environ["SECRET_KEY"], algorithms=["HS256"], audience="lodestar")
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}) from error
    user = await session.get(User, UUID(claims["sub"]))
    if user is None or not user.is_active:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def get_superuser(user: CurrentUser) -> User:
    if not user.is_superuser:
        raise HTTPException(403, "Not enough permissions")
    return user


class Paging:
    def __init__(
        self,
        page: Annotated[int, Query(ge=1)] = 1,
        page_size: Annotated[int, Query(ge=1, le=100)] = 20,
        include_total: bool = True,
    ) -> None:
        self.page, self.page_size, self.include_total = page, page_size, include_total

    async def read(self, session: AsyncSession, statement: Select[Any], *order: Any) -> dict[str, Any]:
        total = None
        if self.include_total:
            total = await session.scalar(select(func.count()).select_from(statement.subquery()))
        rows = statement.order_by(*order).limit(self.page_size).offset((self.page - 1) * self.page_size)
        items = (await session.scalars(rows)).all()
        pages = None if total is None else -(-total // self.page_size)
        return {"items": items, "total": total, "page": self.page, "page_size": self.page_size, "pages": pages}


PagingDep = Annotated[Paging, Depends()]
router = APIRouter(prefix="/api/v1")


@router.get("/users/me", response_model=UserRead)
async def get_me(user: CurrentUser) -> User:
    return user


@router.get("/users", response_model=Page[UserRead], dependencies=[Depends(get_superuser)])
async def list_users(session: SessionDep, paging: PagingDep) -> dict[str, Any]:
    wanted = select(User).where(User.deleted_at.is_(None))
    return await paging.read(session, wanted, User.created_at.desc(), User.id.desc())


@router.get("/users/{user_id}", response_model=UserRead, dependencies=[Depends(get_superuser)])
async def get_user(user_id: UUID, session: SessionDep) -> User:
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    return user


@router.get("/posts", response_model=Page[PostSummary])
async def list_posts(session: SessionDep, paging: PagingDep) -> dict[str, Any]:
    wanted = select(Post).where(Post.public_from <= func.now())
    return await paging.read(session, wanted, Post.public_from.desc(), Post.id.desc())


@router.get("/posts/{slug}", response_model=PostRead)
async def get_post(
    slug: str, session: SessionDep, response: Response, if_none_match: Annotated[str | None, Header()] = None
) -> Any:
    wanted = select(Post).options(undefer(Post.content)).where(Post.slug == slug, Post.public_from <= func.now())
    post = (await session.scalars(wanted)).first()
    if post is None:
        raise HTTPException(404, "Post not found")
    tag = f'"{post.version}"'
    if if_none_match == tag:
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return post


@router.get("/products", response_model=Page[ProductRead])
async def list_products(session: SessionDep, paging: PagingDep) -> dict[str, Any]:
    wanted = select(Product).where(Product.is_active)
    return await paging.read(session, wanted, Product.created_at.desc(), Product.id.desc())


app = FastAPI()
app.include_router(router)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
