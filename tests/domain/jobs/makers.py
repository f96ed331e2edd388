"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from uuid import UUID

from litestar import Litestar

from tests.domain.jobs.toys import put
from tests.support.making import Maker, Making


async def make_job(making: Making) -> UUID:
    """Which can be cancelled, or run again."""
    assert isinstance(making.people.owner, Litestar)
    return await put(making.people.owner, status=("pending", "failed")[making.number % 2])


MAKERS: dict[str, Maker] = {"job_id": make_job}
