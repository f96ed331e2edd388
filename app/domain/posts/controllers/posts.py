from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from app.domain.posts.controllers.caching import shared, tagged
from app.domain.posts.controllers.parameters import (
    Author,
    Expand,
    Mine,
    PostId,
    PostReference,
    PublishedAfter,
    PublishedBefore,
    Sort,
    TagFilter,
    Text,
)
from app.domain.posts.dtos import (
    PostCreate,
    PostPage,
    PostRead,
    PostUpdate,
    PostWithAuthor,
    PostWithAuthorPage,
    Publication,
)
from app.domain.posts.errors import NotYourPost, PostNotFound, SlugTaken
from app.domain.posts.services.posts import PostService
from app.domain.posts.services.queries import PostQueries, read_id
from app.lib.db.versions import IfMatch
from app.lib.errors import PreconditionFailed, Unauthenticated
from app.lib.http.conditional import TAGGED
from app.lib.http.injection import Injected
from app.lib.http.locations import MOVES, created, linked, moved
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.pagination.parameters import PageRequest
from app.lib.security.policies import authenticated, find_principal, optional, public
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO


class PostController(Controller):
    path = "/posts"
    tags = ("Posts",)

    @get(
        guards=[optional],
        operation_id="listPosts",
        summary="List posts",
        description="Published posts; with `mine=true` your own, drafts included, which needs a sign-in.",
        opt=may_raise(Unauthenticated) | TAGGED,
    )
    async def list_posts(
        self,
        request: Request[Any, Any, Any],
        post_queries: Injected[PostQueries],
        paging: Injected[PageRequest],
        author: Author = None,
        tag: TagFilter = None,
        q: Text = None,
        published_after: PublishedAfter = None,
        published_before: PublishedBefore = None,
        mine: Mine = None,
        sort: Sort = None,
        expand: Expand = None,
    ) -> Response[PostPage | PostWithAuthorPage]:
        filters = {
            "author": author,
            "tag": tag,
            "q": q,
            "published_after": published_after,
            "published_before": published_before,
        }
        if not mine:
            page = await post_queries.list(paging, sort, filters)
            found = page if expand is None else await post_queries.with_authors(page)
            return shared(request, tagged(linked(request, found)))
        if (owner := find_principal(request)) is None:
            raise Unauthenticated
        page = await post_queries.list_own(paging, sort, filters, owner)
        return tagged(linked(request, page if expand is None else await post_queries.with_authors(page)))

    @post(
        guards=[authenticated],
        dto=StructDTO[PostCreate],
        return_dto=StructDTO[PostRead],
        operation_id="createPost",
        summary="Create a post",
        description="A draft, unless `is_published` or `published_at` says otherwise.",
        opt=IDEMPOTENT | may_raise(SlugTaken),
    )
    async def create_post(
        self, data: JSONBody[PostCreate], posts: Injected[PostService], principal: Injected[Principal]
    ) -> Response[PostRead]:
        written = await posts.create(data, principal)
        return created(written, f"/api/v1/posts/{written.id}")

    @get(
        "/{post_ref:str}",
        guards=[optional],
        operation_id="getPost",
        summary="Get a post",
        description=(
            "By id or slug. Drafts and scheduled posts only for their authors. A former slug redirects to the present "
            "one. With `expand=author` there is no ETag."
        ),
        opt=may_raise(PostNotFound) | MOVES,
    )
    async def get_post(
        self,
        request: Request[Any, Any, Any],
        post_ref: PostReference,
        post_queries: Injected[PostQueries],
        expand: Expand = None,
    ) -> Response[PostRead | PostWithAuthor]:
        found = await post_queries.get(post_ref, find_principal(request))
        response: Response[PostRead | PostWithAuthor]
        if post_ref in {str(found.id), found.slug}:
            response = Response(found if expand is None else await post_queries.with_author(found))
        else:
            response = moved(request, f"/api/v1/posts/{found.slug}")
        return shared(request, response)

    @patch(
        "/{post_ref:str}",
        guards=[authenticated],
        dto=StructDTO[PostUpdate],
        return_dto=StructDTO[PostRead],
        operation_id="updatePost",
        summary="Update a post",
        description="By id. Your own, or with `posts:write` any. The slug stays unless it is given.",
        opt=may_raise(NotYourPost, PostNotFound, SlugTaken, PreconditionFailed),
    )
    async def update_post(
        self,
        post_ref: PostId,
        data: JSONBody[PostUpdate],
        posts: Injected[PostService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> PostRead:
        return await posts.update(read_id(post_ref), data, if_match, principal)

    @delete(
        "/{post_ref:str}",
        guards=[authenticated],
        operation_id="deletePost",
        summary="Delete a post",
        description="By id. Your own, or with `posts:delete` any.",
        opt=may_raise(NotYourPost, PostNotFound, PreconditionFailed),
    )
    async def delete_post(
        self,
        post_ref: PostId,
        posts: Injected[PostService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> None:
        await posts.delete(read_id(post_ref), if_match, principal)

    @post(
        "/{post_ref:str}/publish",
        guards=[authenticated],
        dto=StructDTO[Publication],
        return_dto=StructDTO[PostRead],
        status_code=200,
        operation_id="publishPost",
        summary="Publish a post",
        description="By id, now or `at` an instant, up to ten years ahead.",
        opt=may_raise(NotYourPost, PostNotFound, PreconditionFailed),
    )
    async def publish_post(
        self,
        post_ref: PostId,
        posts: Injected[PostService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
        data: JSONBody[Publication | None] = None,
    ) -> PostRead:
        at = data.at if data is not None else None
        return await posts.publish(read_id(post_ref), at, if_match, principal)

    @post(
        "/{post_ref:str}/unpublish",
        guards=[authenticated],
        return_dto=StructDTO[PostRead],
        status_code=200,
        operation_id="unpublishPost",
        summary="Unpublish a post",
        description="By id. It is a draft again.",
        opt=may_raise(NotYourPost, PostNotFound, PreconditionFailed),
    )
    async def unpublish_post(
        self,
        post_ref: PostId,
        posts: Injected[PostService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> PostRead:
        return await posts.unpublish(read_id(post_ref), if_match, principal)


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
