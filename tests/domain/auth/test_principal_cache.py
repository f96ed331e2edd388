"""How long a worker believes what it knows about a caller [ASVS 7.4.1, 8.3.2]."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.events import (
    PasswordChanged,
    RoleDeleted,
    RoleUpdated,
    UserDeactivated,
    UserDeleted,
    UserUpdated,
)
from app.domain.auth import authenticator as module
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.events import SessionsEnded
from app.domain.auth.listeners import LISTENERS
from app.domain.auth.services.api_keys import KeyUses
from app.domain.auth.services.tokens import TokenIssuer
from app.lib.clock import utc_now
from app.lib.errors import InvalidToken
from app.lib.events import Events, Hint
from app.lib.security.principal import Principal
from app.lib.services import Services
from tests.domain.auth.steps import change_user, whoami
from tests.support.apps import Deployment, client_of, core_of
from tests.support.counting import counted_statements
from tests.support.people import People, Person
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.asvs("7.4.1", "8.3.2")


class SlowReader:
    """A reader whose answers are held back: what it returns is as old as the question."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()

    async def find(self, prepared: Any, key: Any, **values: Any) -> Any:
        row = await self._reader.find(prepared, key, **values)
        self.asked.set()
        await self.gate.wait()
        return row


def authenticator_of(app: Litestar, reader: Any = None, *, seconds: float = PATIENCE) -> SessionAuthenticator:
    """One with a memory of its own."""
    core = core_of(app)
    signer, uses = core.services.get(TokenIssuer).signer, KeyUses(core.database)
    return SessionAuthenticator(signer, reader or core.database.reader, uses, seconds)


@pytest.mark.parametrize(
    "written",
    [
        lambda person: SessionsEnded(user_id=person.id, session_id=person.session_id),
        lambda person: UserUpdated(aggregate_id=person.id, aggregate_version=2),
        lambda person: UserDeactivated(aggregate_id=person.id, aggregate_version=2),
        lambda person: UserDeleted(aggregate_id=person.id, aggregate_version=2),
        lambda person: PasswordChanged(aggregate_id=person.id, aggregate_version=2),
        lambda _: RoleUpdated(aggregate_id=uuid4(), aggregate_version=2),
        lambda _: RoleDeleted(aggregate_id=uuid4(), aggregate_version=2),
        lambda _: UserUpdated(aggregate_id=uuid4(), aggregate_version=2),  # any write at all: it costs one more read
    ],
    ids=["session", "user", "deactivated", "deleted", "password", "role", "role deleted", "another user"],
)
async def test_a_read_that_began_before_a_write_is_never_remembered_after_it(
    app: Litestar, people: People, written: Callable[[Person], Hint]
) -> None:
    person = await people.create()
    slow = SlowReader(core_of(app).database.reader)
    authenticator = authenticator_of(app, slow)
    slow_read = asyncio.create_task(authenticator.authenticate(person.access_token))
    await slow.asked.wait()

    await change_user(app, person.id, is_active=False)
    services = Services()
    services.add(authenticator)
    Events(LISTENERS, services).hints.emit(written(person))
    slow.gate.set()

    assert (await slow_read).user_id == person.id  # it asked before the write
    with pytest.raises(InvalidToken):
        await authenticator.authenticate(person.access_token)


async def test_a_write_of_one_user_leaves_the_others_remembered(app: Litestar, people: People) -> None:
    ada, eve = await people.create(), await people.create()
    eve_again = await people.sign_in(eve.id, eve.email)
    authenticator = authenticator_of(app)
    tokens = [person.access_token for person in (ada, eve, eve_again)]

    async def statements() -> list[int]:
        counts: list[int] = []
        for token in tokens:
            with counted_statements(app) as seen:
                await authenticator.authenticate(token)
            counts.append(len(seen))
        return counts

    assert await statements() == [1, 1, 1]
    assert await statements() == [0, 0, 0]
    authenticator.forget(eve.id)
    assert await statements() == [0, 1, 1]
    authenticator.forget(None)
    assert await statements() == [1, 1, 1]


async def test_without_seconds_nothing_is_remembered(app: Litestar, people: People) -> None:
    person = await people.create()
    authenticator = authenticator_of(app, seconds=0)

    with counted_statements(app) as seen:
        for _ in range(3):
            await authenticator.authenticate(person.access_token)

    assert len(seen) == 3


async def test_what_is_remembered_ages_from_when_it_was_asked(app: Litestar, people: People) -> None:
    """Not from when the answer came, which a slow database may have held back for seconds."""
    person = await people.create()
    slow = SlowReader(core_of(app).database.reader)
    authenticator = authenticator_of(app, slow, seconds=0.05)
    slow_read = asyncio.create_task(authenticator.authenticate(person.access_token))
    await slow.asked.wait()
    await asyncio.sleep(0.06)
    slow.gate.set()
    await slow_read

    with counted_statements(app) as seen:
        await authenticator.authenticate(person.access_token)

    assert len(seen) == 1


class Crowd:
    """Stands in for the database where there are more sessions than a test could make."""

    async def find(self, _: Any, session_id: UUID, *, now: datetime) -> Principal:
        return Principal(session_id, session_id, now, is_superuser=False, permissions=frozenset())


async def test_the_memory_is_bounded(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_TOKENS", 20)
    monkeypatch.setattr(module, "_MAX_PRINCIPALS", 10)
    authenticator = authenticator_of(app, Crowd())
    issuer = core_of(app).services.get(TokenIssuer)
    ids = [uuid4() for _ in range(50)]
    tokens = [issuer.signer.issue_access(each, each, utc_now(), issuer.lifetimes.access) for each in ids]

    found: Sequence[Principal] = [await authenticator.authenticate(token) for token in [*tokens, *tokens[:5]]]

    assert [principal.user_id for principal in found] == [*ids, *ids[:5]]
    assert authenticator._verified.cache_info().currsize == 20
    assert len(authenticator._principals) == 10
    assert len(authenticator._known_of) == 10
    for user_id in ids:
        authenticator.forget(user_id)
    assert not authenticator._principals
    assert not authenticator._known_of


async def test_a_change_by_another_worker_is_seen_within_the_second(deployment: Deployment) -> None:
    app = await deployment.start(AUTH_CACHE_SECONDS="0.2")
    person = await People(app).create()
    async with client_of(app) as client:
        assert (await whoami(client, person.access_token)).status_code == 200
        await change_user(app, person.id, is_active=False)  # as another process would: nothing is signalled here
        await asyncio.sleep(0.21)
        assert (await whoami(client, person.access_token)).status_code == 401


async def test_a_refused_request_changes_nothing_that_is_remembered(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """Signals are for what was committed."""
    person = await people.create()
    await client.delete(f"/api/v1/users/{uuid4()}", headers=person.headers)  # goes to the audit log
    await whoami(client, person.access_token)

    with counted_statements(app) as seen:
        await client.delete(f"/api/v1/users/{uuid4()}", headers=person.headers)
        refused = list(seen)
        await whoami(client, person.access_token)

    assert refused == []
    assert len(seen) == 1


async def test_where_no_hint_arrives_it_is_a_tenth_of_a_second(deployment: Deployment) -> None:
    """As between two workers on SQLite."""
    app = await deployment.start(WORKERS="2")
    seconds = core_of(app).services.get(SessionAuthenticator)._cache_seconds

    assert seconds == (0.1 if deployment.url.is_sqlite else 1.0)
