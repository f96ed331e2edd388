"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from uuid import UUID

from tests.support.making import Maker, Making
from tests.support.posts import post_of


async def make_post(making: Making) -> UUID:
    return await post_of(await making.get_owner(), making.people.core)


MAKERS: dict[str, Maker] = {"post_ref": make_post}
