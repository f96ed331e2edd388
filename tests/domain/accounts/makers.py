"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from uuid import UUID

from tests.support.factors import factor_of
from tests.support.making import Maker, Making


async def make_user(making: Making) -> UUID:
    """With a second factor."""
    user = await making.people.create(is_service=making.operation_id == "createServiceApiKey")
    await factor_of(user.id, making.people.core)
    return user.id


async def make_role(making: Making) -> UUID:
    return await making.people.role(f"role-{making.number}", ["users:read"])


MAKERS: dict[str, Maker] = {"user_id": make_user, "role_id": make_role}
