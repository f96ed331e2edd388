"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from uuid import UUID

from tests.support.identities import identity_of
from tests.support.making import Maker, Making


async def make_identity(making: Making) -> UUID:
    return await identity_of(await making.get_owner(), making.people.core)


MAKERS: dict[str, Maker] = {"identity_id": make_identity}
