"""What is sent, as msgspec Structs. Shared by the two peers that use msgspec."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


class UserRead(msgspec.Struct):
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
    metadata_: Any = msgspec.field(name="metadata")  # an object, or its JSON text as msgspec.Raw
    created_at: datetime
    updated_at: datetime
    version: int


class PostSummary(msgspec.Struct):
    id: UUID
    author_id: UUID
    title: str
    slug: str
    excerpt: str
    tags: Any  # a list, or the JSON text of one as msgspec.Raw
    is_published: bool
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class PostRead(PostSummary):
    content: str
    no_metadata: None = msgspec.field(name="metadata", default=None)  # shown to its author only


class Money(msgspec.Struct):
    amount: str
    currency: str


class ProductRead(msgspec.Struct):
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
    no_metadata: None = msgspec.field(name="metadata", default=None)  # shown to those who may change it only


class Page(msgspec.Struct, Generic[S]):
    items: Sequence[S]
    total: int | None
    page: int | None
    page_size: int
    pages: int | None
    total_capped: bool = False
    next_cursor: str | None = None
