"""What the controllers of posts have injected."""

from litestar.di import Provide

from app.config import Settings
from app.domain.accounts.services.queries import AccountQueries
from app.domain.posts.repositories import PostReads
from app.domain.posts.services.feed import FeedService
from app.domain.posts.services.posts import PostService
from app.domain.posts.services.queries import PostQueries
from app.lib.audit import Origin
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.http.injection import Injected
from app.lib.pagination.cursor import CursorCodec


async def provide_post_reads(reader: Injected[Reader], cursors: Injected[CursorCodec]) -> PostReads:
    return PostReads(reader, cursors)


async def provide_post_queries(post_reads: Injected[PostReads], accounts: Injected[AccountQueries]) -> PostQueries:
    return PostQueries(post_reads, accounts)


async def provide_posts(unit: Injected[UnitOfWork], events: Injected[Events], origin: Injected[Origin]) -> PostService:
    return PostService(unit, events, origin)


async def provide_feed(
    post_reads: Injected[PostReads], accounts: Injected[AccountQueries], settings: Injected[Settings]
) -> FeedService:
    return FeedService(post_reads, accounts, settings)


PROVIDERS = {
    "post_reads": Provide(provide_post_reads),
    "post_queries": Provide(provide_post_queries),
    "posts": Provide(provide_posts),
    "post_feed": Provide(provide_feed),
}
