from typing import Any

from litestar import Request, Response, get

from app.domain.posts.controllers.caching import shared, tagged
from app.domain.posts.controllers.parameters import TagSort
from app.domain.posts.dtos import TagPage
from app.domain.posts.services.queries import PostQueries
from app.lib.http.conditional import TAGGED
from app.lib.http.injection import Injected
from app.lib.http.locations import linked
from app.lib.pagination.parameters import PageRequest
from app.lib.security.policies import public
from app.lib.wire.dto import StructDTO


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
