from typing import Any

from litestar import Request, Response, get

from app.domain.posts.controllers.caching import shared
from app.domain.posts.services.feed import FeedService
from app.lib.http.conditional import TAGGED, has_current
from app.lib.http.injection import Injected
from app.lib.http.rules import PRODUCES
from app.lib.security.policies import public

ATOM = "application/atom+xml"


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
