"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from uuid import UUID

from tests.support.api_keys import api_key_of
from tests.support.authenticators import passkey_of
from tests.support.making import Maker, Making


async def make_session(making: Making) -> UUID:
    return (await making.people.sign_in(making.boss.id, making.boss.email)).session_id


async def make_key(making: Making) -> UUID:
    return await api_key_of(await making.get_owner(), making.people.core)


async def make_passkey(making: Making) -> UUID:
    return await passkey_of(await making.get_owner(), making.people.core)


MAKERS: dict[str, Maker] = {"session_id": make_session, "key_id": make_key, "passkey_id": make_passkey}
