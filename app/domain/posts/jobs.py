"""The announcement of scheduled posts. Whether the public sees them needs no job."""

from app.domain.posts.services.announcing import announce_due
from app.lib.jobs import Every, JobContext, Nothing, job
from app.lib.outbox import Outbox

SECONDS = 10.0
"""How late ``post.published`` may be."""


@job("posts.announce", Nothing, schedule=Every(SECONDS))
async def announce_posts(_nothing: Nothing, context: JobContext) -> None:
    while True:
        async with context.unit() as unit:
            count = await announce_due(unit, context.service(Outbox))
        if not count:
            return


JOBS = (announce_posts,)
