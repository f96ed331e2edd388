from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from app.domain.posts.dtos import (
    MAX_SLUG,
    MAX_TAG,
    PUBLISHED,
    PostCreate,
    PostPage,
    PostRead,
    PostUpdate,
    PostWithAuthor,
    PostWithAuthorPage,
    Publication,
    Status,
    TagPage,
)
from app.domain.posts.errors import NotYourPost, PostNotFound, SlugTaken
from app.domain.posts.services.feed import FeedService
from app.domain.posts.services.posts import PostService
from app.domain.posts.services.queries import POST_SORT, TAG_SORT, PostQueries, read_id
from app.lib.clock import utc_now
from app.lib.errors import PreconditionFailed, Unauthenticated
from app.lib.http.answers import PUBLIC_ANSWER, public_answer
from app.lib.http.conditional import TAGGED, has_current, make_personal
from app.lib.http.injection import Caller, Injected, Paging, Precondition, Times
from app.lib.http.locations import MOVES, created, moved
from app.lib.http.query import PASSED_ON
from app.lib.http.rules import MAX_BODY, PRODUCES
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.pagination.parameters import After, Before
from app.lib.security.policies import authenticated, find_principal, optional, policy_of, public
from app.lib.wire.dto import StructDTO
from app.lib.wire.struct_schema import example_id

T = TypeVar("T")

ATOM = "application/atom+xml"

# A character may be written as two escapes of six bytes: the content, and the metadata as in METADATA_BODY.
_LONG_BODY = {MAX_BODY: 1_700_000}

# What fits neither is not there, so it is 404 and not 422: the bounds are documentation.
_REFERENCE = {
    "type": OpenAPIType.STRING,
    "maxLength": MAX_SLUG,
    "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$",
    "examples": [example_id("post_id")],
}

PostReference = Annotated[str, PathParameter(description="The post's id or its slug.", schema_extra=_REFERENCE)]
PostId = Annotated[str, PathParameter(description="The post's id.", schema_extra=_REFERENCE)]

Sort = Annotated[str | None, POST_SORT]
Posts = Injected[PostService]
Queries = Injected[PostQueries]
TagSort = Annotated[str | None, TAG_SORT]
Author = Annotated[
    list[Annotated[UUID, QueryParameter(schema_extra={"maxLength": 36})]] | None,
    QueryParameter(description="Written by this user; repeat for any of several.", max_items=20),
]
TagFilter = Annotated[
    # msgspec reads the one and the document is written from the other.
    list[Annotated[str, Meta(min_length=1, max_length=MAX_TAG), QueryParameter(min_length=1, max_length=MAX_TAG)]]
    | None,
    QueryParameter(name="tag", description="Has this tag; repeat for any of several.", max_items=20),
]
Text = Annotated[
    str | None,
    QueryParameter(
        max_length=200,
        description=(
            "Words that title and content have, all of them, without regard to case, accents and vowel points; in "
            "scripts without spaces, parts of them. `sort=-relevance` puts posts with the words in their title first; "
            "of frequent words it ranks, and counts, the newest 2 000 posts only. Without a word nothing is found."
        ),
    ),
]
StatusFilter = Annotated[
    list[Status] | None, QueryParameter(name="status", description="Repeat for any of several.", max_items=3)
]
Mine = Annotated[bool | None, QueryParameter(description="Your own posts instead, drafts and scheduled ones included.")]
_TABLES = ("posts", "post_tags", "post_slugs", "users", "profiles")
_PUBLIC = public_answer(*_TABLES, unless=[])
Expand = Annotated[Literal["author"] | None, QueryParameter(description="Shows the authors, too.")]


def shared(request: Request[Any, Any, Any], response: Response[T], *, seconds: int = 0) -> Response[T]:
    """Caches may share what everyone gets. By default they have to ask each time
    whether it is current, so that a post that is no longer public is not shown.
    """
    if policy_of(request.route_handler).reads_credentials:
        response.headers["Vary"] = "Authorization"
    if request.route_handler.opt[PUBLIC_ANSWER].is_for(request.scope):
        response.headers["Cache-Control"] = f"public, max-age={seconds}, must-revalidate"
    return response


class PostController(Controller):
    path = "/posts"
    tags = ("Posts",)

    @get(
        guards=[optional],
        summary="List posts",
        description=(
            "Published posts. With another `status` your own that have it, or those of all with `posts:write`; with "
            "`mine=true` your own of any status. Both need a sign-in."
        ),
        opt=may_raise(Unauthenticated) | TAGGED | _PUBLIC,
    )
    async def list_posts(
        self,
        request: Request[Any, Any, Any],
        queries: Queries,
        paging: Paging,
        times: Times,
        author_id: Author = None,
        tag: TagFilter = None,
        status: StatusFilter = None,
        q: Text = None,
        published_after: After = None,
        published_before: Before = None,
        mine: Mine = None,
        sort: Sort = None,
        expand: Expand = None,
    ) -> Response[PostPage | PostWithAuthorPage]:
        filters = {
            "author_id": author_id,
            "tag": tag,
            "q": q,
            "published_after": published_after,
            "published_before": published_before,
            **times,
        }
        if not mine and {PUBLISHED}.issuperset(status or ()):
            page = await queries.list(paging, sort, filters)
            found = page if expand is None else await queries.with_authors(page)
            return shared(request, Response(found))
        if (viewer := find_principal(request)) is None:
            raise Unauthenticated
        make_personal(request)
        page = await queries.list_hidden(paging, sort, filters, viewer, status or (), mine=bool(mine))
        return Response(page if expand is None else await queries.with_authors(page))

    @post(
        guards=[authenticated],
        dto=StructDTO[PostCreate],
        return_dto=StructDTO[PostRead],
        summary="Create a post",
        description="A draft, unless `is_published` or `published_at` says otherwise.",
        opt=IDEMPOTENT | _LONG_BODY | may_raise(SlugTaken),
    )
    async def create_post(self, data: JSONBody[PostCreate], posts: Posts, principal: Caller) -> Response[PostRead]:
        written = await posts.create(data, principal)
        return created(written, f"/api/v1/posts/{written.id}")

    @get(
        "/{post_ref:str}",
        guards=[optional],
        summary="Get a post",
        description=(
            "By id or slug. Drafts and scheduled posts only for their authors. A former slug redirects to the present "
            "one. With `expand=author` there is no ETag."
        ),
        opt=may_raise(PostNotFound) | MOVES | public_answer(*_TABLES),
    )
    async def get_post(
        self, request: Request[Any, Any, Any], post_ref: PostReference, queries: Queries, expand: Expand = None
    ) -> Response[PostRead | PostWithAuthor]:
        found = await queries.get(post_ref, find_principal(request))
        if post_ref == found.slug and (found.published_at is None or found.published_at > utc_now()):
            make_personal(request)  # others may have a post of this name, and it may become public first
        response: Response[PostRead | PostWithAuthor]
        if post_ref in {str(found.id), found.slug}:
            response = Response(found if expand is None else await queries.with_author(found))
        else:
            response = moved(request, f"/api/v1/posts/{found.slug}")
        return shared(request, response)

    @patch(
        "/{post_ref:str}",
        guards=[authenticated],
        dto=StructDTO[PostUpdate],
        return_dto=StructDTO[PostRead],
        summary="Update a post",
        description="By id. Your own, or with `posts:write` any. The slug stays unless it is given.",
        opt=_LONG_BODY | may_raise(NotYourPost, PostNotFound, SlugTaken, PreconditionFailed),
    )
    async def update_post(
        self, post_ref: PostId, data: JSONBody[PostUpdate], posts: Posts, principal: Caller, if_match: Precondition
    ) -> PostRead:
        return await posts.update(read_id(post_ref), data, if_match, principal)

    @delete(
        "/{post_ref:str}",
        guards=[authenticated],
        summary="Delete a post",
        description="By id. Your own, or with `posts:delete` any.",
        opt=may_raise(NotYourPost, PostNotFound, PreconditionFailed),
    )
    async def delete_post(self, post_ref: PostId, posts: Posts, principal: Caller, if_match: Precondition) -> None:
        await posts.delete(read_id(post_ref), if_match, principal)

    @post(
        "/{post_ref:str}/publish",
        guards=[authenticated],
        dto=StructDTO[Publication],
        return_dto=StructDTO[PostRead],
        status_code=200,
        summary="Publish a post",
        description="By id, now or at `published_at`, up to ten years ahead.",
        opt=may_raise(NotYourPost, PostNotFound, PreconditionFailed),
    )
    async def publish_post(
        self,
        post_ref: PostId,
        posts: Posts,
        principal: Caller,
        if_match: Precondition,
        data: JSONBody[Publication | None] = None,
    ) -> PostRead:
        at = data.published_at if data is not None else None
        return await posts.publish(read_id(post_ref), at, if_match, principal)

    @post(
        "/{post_ref:str}/unpublish",
        guards=[authenticated],
        return_dto=StructDTO[PostRead],
        status_code=200,
        summary="Unpublish a post",
        description="By id. It is a draft again.",
        opt=may_raise(NotYourPost, PostNotFound, PreconditionFailed)
        | shows(200, is_published=False, published_at=None),
    )
    async def unpublish_post(
        self, post_ref: PostId, posts: Posts, principal: Caller, if_match: Precondition
    ) -> PostRead:
        return await posts.unpublish(read_id(post_ref), if_match, principal)


@get(
    "/users/{user_id:uuid}/posts",
    guards=[public],
    opt=TAGGED | _PUBLIC,
    summary="List the posts of a user",
    description="Published posts of one author, newest first.",
    tags=["Posts"],
)
async def list_user_posts(
    request: Request[Any, Any, Any],
    user_id: FromPath[UUID],
    queries: Queries,
    paging: Paging,
    times: Times,
    tag: TagFilter = None,
    q: Text = None,
    published_after: After = None,
    published_before: Before = None,
    sort: Sort = None,
    expand: Expand = None,
) -> Response[PostPage | PostWithAuthorPage]:
    published = {"published_after": published_after, "published_before": published_before}
    filters = {"tag": tag, "q": q, **published, **times}
    page = await queries.list_by_user(user_id, paging, sort, filters)
    return shared(request, Response(page if expand is None else await queries.with_authors(page)))


@get(
    "/tags",
    guards=[public],
    return_dto=StructDTO[TagPage],
    opt=TAGGED | _PUBLIC,
    summary="List the tags of published posts",
    description="With the number of published posts that have them. Caches may keep it for a minute.",
    tags=["Posts"],
)
async def list_tags(
    request: Request[Any, Any, Any], queries: Queries, paging: Paging, sort: TagSort = None
) -> Response[TagPage]:
    # Counting goes through all posts, so this one may be a minute old.
    page = await queries.list_tags(paging, sort)
    return shared(request, Response(page), seconds=60)


_FEED = '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">…</feed>'


@get(
    "/feed.atom",
    guards=[public],
    opt={PRODUCES: ATOM, **TAGGED, **PASSED_ON, **_PUBLIC} | shows(200, _FEED),
    media_type=ATOM,
    summary="Get the Atom feed",
    description="The newest 20 published posts (RFC 4287) with safe HTML; long ones with their summary and link only.",
    tags=["Posts"],
    name="feed",
)
async def get_feed(request: Request[Any, Any, Any], post_feed: Injected[FeedService]) -> Response[bytes]:
    newest = await post_feed.newest()
    content = b"" if has_current(request, newest.etag) else post_feed.write(newest)
    return shared(request, Response(content, media_type=ATOM, headers={"ETag": newest.etag}))
