from typing import Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.params import FromPath

from app.domain.posts.controllers.caching import shared, tagged
from app.domain.posts.controllers.parameters import (
    Expand,
    PublishedAfter,
    PublishedBefore,
    Sort,
    TagFilter,
    TagSort,
    Text,
)
from app.domain.posts.dtos import PostPage, PostWithAuthorPage, TagPage
from app.domain.posts.services.feed import FeedService
from app.domain.posts.services.queries import PostQueries
from app.lib.http.conditional import TAGGED, has_current
from app.lib.http.injection import Injected
from app.lib.http.locations import linked
from app.lib.http.rules import PRODUCES
from app.lib.pagination.parameters import PageRequest
from app.lib.security.policies import public
from app.lib.wire.dto import StructDTO

ATOM = "application/atom+xml"


@get(
    "/users/{user_id:uuid}/posts",
    guards=[public],
    opt=TAGGED,
    operation_id="listUserPosts",
    summary="List the posts of a user",
    tags=["Posts"],
)
async def list_user_posts(
    request: Request[Any, Any, Any],
    user_id: FromPath[UUID],
    post_queries: Injected[PostQueries],
    paging: Injected[PageRequest],
    tag: TagFilter = None,
    q: Text = None,
    published_after: PublishedAfter = None,
    published_before: PublishedBefore = None,
    sort: Sort = None,
    expand: Expand = None,
) -> Response[PostPage | PostWithAuthorPage]:
    filters = {"tag": tag, "q": q, "published_after": published_after, "published_before": published_before}
    page = await post_queries.list_by_user(user_id, paging, sort, filters)
    return shared(request, tagged(linked(request, page if expand is None else await post_queries.with_authors(page))))


@get(
    "/tags",
    guards=[public],
    return_dto=StructDTO[TagPage],
    opt=TAGGED,
    operation_id="listTags",
    summary="List the tags of published posts",
    description="With the number of published posts that have them. Caches may keep it for a minute.",
    tags=["Posts"],
)
async def list_tags(
    request: Request[Any, Any, Any],
    post_queries: Injected[PostQueries],
    paging: Injected[PageRequest],
    sort: TagSort = None,
) -> Response[TagPage]:
    # Counting goes through all posts, so this one may be a minute old.
    page = await post_queries.list_tags(paging, sort)
    return shared(request, tagged(linked(request, page)), seconds=60)


@get(
    "/feed.atom",
    guards=[public],
    opt={PRODUCES: ATOM} | TAGGED,
    media_type=ATOM,
    operation_id="getFeed",
    summary="Get the Atom feed",
    description="The newest 20 published posts (RFC 4287) with safe HTML; long ones with their summary and link only.",
    tags=["Posts"],
    name="feed",
)
async def get_feed(request: Request[Any, Any, Any], post_feed: Injected[FeedService]) -> Response[bytes]:
    newest = await post_feed.newest()
    content = b"" if has_current(request, newest.etag) else post_feed.write(newest)
    return shared(request, Response(content, media_type=ATOM, headers={"ETag": newest.etag}))
