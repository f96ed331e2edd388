"""Two clients of a user and a thief do anything in any order, and a model says what each must be answered.

`just fuzz-sessions` runs it for longer.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
import time_machine
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from litestar import Litestar

from app.lib.clock import utc_now
from app.lib.db.url import DatabaseURL
from tests.domain.auth.steps import refresh, sessions_of, sign_in, whoami
from tests.support.apps import client_of, running_app
from tests.support.people import PASSWORD, People

EXAMPLES = int(os.environ.get("SESSION_EXAMPLES", "10"))
STEPS = int(os.environ.get("SESSION_STEPS", "25"))
PASSWORDS = (PASSWORD, "another fine day to sail")
GRACE, ACCESS = timedelta(seconds=10), timedelta(minutes=10)
WHO = st.sampled_from(["first", "second", "thief"])
CLIENTS = st.sampled_from(["first", "second"])

pytestmark = pytest.mark.asvs("7.2.4", "7.4.1", "7.4.2", "7.4.3", "10.4.5")


@dataclass
class Family:
    """What the model knows of a session."""

    is_live: bool = True
    refresh_tokens: list[str] = field(default_factory=list)
    rotated_at: datetime = field(default_factory=utc_now)
    access_tokens: list[tuple[str, datetime]] = field(default_factory=list)

    def keep(self, pair: dict[str, str]) -> None:
        if pair["refresh_token"] not in self.refresh_tokens:
            self.refresh_tokens.append(pair["refresh_token"])
            self.rotated_at = utc_now()
        self.access_tokens.append((pair["access_token"], utc_now() + ACCESS))


class Sessions(RuleBasedStateMachine):
    """One example is a new user in an app that all examples share."""

    def __init__(self, runner: asyncio.Runner, app: Litestar, clock: time_machine.Traveller) -> None:
        super().__init__()
        self.runner, self.app, self.clock = runner, app, clock
        self.client: httpx.AsyncClient = client_of(app)
        self.families: dict[UUID, Family] = {}
        self.held: dict[str, dict[str, str]] = {}
        self.password, self.is_active = 0, True

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    @initialize()
    def make_people(self) -> None:
        people = People(self.app)
        mark = str(datetime.now(UTC).timestamp()).replace(".", "-") + f"-{id(self)}"
        person = self.run(people.create(email=f"user-{mark}@example.com"))
        self.user_id, self.email = person.id, person.email
        self.families[person.session_id] = Family(is_live=True)
        pair = {"access_token": person.access_token, "refresh_token": person.refresh_token}
        self.families[person.session_id].keep(pair)
        self.held["first"] = pair
        self.admin = self.run(people.create(email=f"admin-{mark}@example.com", is_superuser=True))

    def family_of(self, pair: dict[str, str]) -> Family:
        return self.families[_session_of(pair)]

    def end(self, *, keep: Family | None = None) -> None:
        for family in self.families.values():
            family.is_live = family.is_live and family is keep

    def works(self, pair: dict[str, str]) -> bool:
        """Whether an access token must be taken. One that is about to expire may be or not, so time goes on a bit."""
        family = self.family_of(pair)
        expiry = next(expiry for token, expiry in family.access_tokens if token == pair["access_token"])
        if abs(expiry - utc_now()) < GRACE:
            self.clock.shift(2 * GRACE)
        return family.is_live and utc_now() < expiry

    @rule(who=CLIENTS)
    def login(self, who: str) -> None:
        response = self.run(sign_in(self.client, self.email, PASSWORDS[self.password]))
        assert response.status_code == (200 if self.is_active else 403), response.text
        if response.is_success:
            self.held[who] = response.json()
            family = self.families[_session_of(self.held[who])] = Family()
            family.keep(self.held[who])

    @rule(who=CLIENTS)
    def steal(self, who: str) -> None:
        if who in self.held:
            self.held["thief"] = self.held[who]

    @rule(who=WHO)
    def go_on(self, who: str) -> None:
        if who in self.held and (pair := self._refreshed(self.held[who]["refresh_token"])):
            self.held[who] = pair

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Of any refresh token that there ever was."""
        tokens = [token for family in self.families.values() for token in family.refresh_tokens]
        self._refreshed(data.draw(st.sampled_from(tokens)))

    @rule(who=WHO)
    def replay_late(self, who: str) -> None:
        """The token before the newest, when no retry comes any more."""
        if who in self.held and len(tokens := self.family_of(self.held[who]).refresh_tokens) > 1:
            self.clock.shift(11)
            self._refreshed(tokens[-2])

    @rule(who=WHO)
    def race(self, who: str) -> None:
        """The same token three times at once."""
        if who not in self.held:
            return
        token, family = self.held[who]["refresh_token"], self.family_of(self.held[who])
        if not family.is_live or token != family.refresh_tokens[-1]:
            return

        async def at_once() -> list[httpx.Response]:
            return await asyncio.gather(*(refresh(self.client, token) for _ in range(3)))

        responses = self.run(at_once())
        assert [response.status_code for response in responses] == [200] * 3
        assert len({response.json()["refresh_token"] for response in responses}) == 1
        for response in responses:
            family.keep(response.json())
        self.held[who] = responses[0].json()

    @rule(who=WHO, path=st.sampled_from(["logout", "logout-all", "logout-others"]))
    def leave(self, who: str, path: str) -> None:
        if who not in self.held:
            return
        pair, family = self.held[who], self.family_of(self.held[who])
        expected = 204 if self.works(pair) else 401
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        assert self.run(self.client.post(f"/api/v1/auth/{path}", headers=headers)).status_code == expected
        if expected == 204:
            if path == "logout":
                family.is_live = False
            else:
                self.end(keep=family if path == "logout-others" else None)

    @rule(who=CLIENTS)
    def change_password(self, who: str) -> None:
        if who not in self.held:
            return
        pair = self.held[who]
        body = {"current_password": PASSWORDS[self.password], "new_password": PASSWORDS[1 - self.password]}
        expected = 200 if self.works(pair) else 401
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        response = self.run(self.client.post("/api/v1/users/me/password", json=body, headers=headers))
        assert response.status_code == expected, response.text
        if expected == 200:
            self.end()
            self.password = 1 - self.password
            self.held[who] = response.json()
            family = self.families[_session_of(self.held[who])] = Family()
            family.keep(self.held[who])

    @rule()
    def ban_or_pardon(self) -> None:
        admin = self.run(People(self.app).sign_in(self.admin.id, self.admin.email))
        verb = "deactivate" if self.is_active else "activate"
        response = self.run(self.client.post(f"/api/v1/users/{self.user_id}/{verb}", headers=admin.headers))
        assert response.status_code == 200, response.text
        self.is_active = not self.is_active
        self.end()

    @rule(seconds=st.sampled_from([3, 11, 400]))
    def wait(self, seconds: int) -> None:
        self.clock.shift(seconds)

    @invariant()
    def no_token_of_an_ended_session_works_and_each_live_one_has_one_generation(self) -> None:
        for family in self.families.values():
            for token, expiry in family.access_tokens[-2:]:
                pair = {"access_token": token, "refresh_token": family.refresh_tokens[-1]}
                expected = 200 if self.works(pair) else 401
                found = self.run(whoami(self.client, token)).status_code
                assert found == expected, (found, expected, expiry)
        if self.families:
            rows = {row.id: row for row in self.run(sessions_of(self.app, self.user_id))}
            assert {session_id for session_id, row in rows.items() if row.revoked_at is None} == {
                session_id for session_id, family in self.families.items() if family.is_live
            }
            for session_id, family in self.families.items():
                if family.is_live:
                    assert rows[session_id].generation == len(family.refresh_tokens)

    def teardown(self) -> None:
        self.run(self.client.aclose())

    def _refreshed(self, token: str) -> dict[str, str] | None:
        """Refreshes, and compares the answer with the model's."""
        family = self.families[_session_of({"refresh_token": token})]
        age = len(family.refresh_tokens) - 1 - family.refresh_tokens.index(token)
        is_retry = age == 1 and utc_now() - family.rotated_at <= GRACE
        response = self.run(refresh(self.client, token))
        if family.is_live and (age == 0 or is_retry):
            assert response.status_code == 200, response.text
            pair: dict[str, str] = response.json()
            assert (pair["refresh_token"] == family.refresh_tokens[-1]) is is_retry
            family.keep(pair)
            return pair
        assert response.status_code == 401, response.text
        family.is_live = False  # a copy was used, or it was over
        return None


def _session_of(pair: dict[str, str]) -> UUID:
    return UUID(jwt.decode(pair["refresh_token"], options={"verify_signature": False})["sid"])


@pytest.fixture
def machine(database_url: DatabaseURL) -> Iterator[Any]:
    """Makes machines on an app that runs in a loop of their own, because Hypothesis calls them without one."""
    with asyncio.Runner() as runner, ExitStack() as stack:
        clock = stack.enter_context(time_machine.travel(datetime.now(UTC), tick=False))
        starting = running_app(database_url, RATE_LIMIT_ENABLED="false")
        app = runner.run(starting.__aenter__())
        stack.callback(lambda: runner.run(starting.__aexit__(None, None, None)))
        yield lambda: Sessions(runner, app, clock)


def test_no_order_of_events_brings_a_session_back(machine: Any) -> None:
    """What fails is made shorter by `just fuzz-sessions` alone, because that takes minutes."""
    is_long = "SESSION_EXAMPLES" in os.environ
    phases = [phase for phase in Phase if is_long or phase is not Phase.shrink]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
            derandomize=not is_long,
            phases=phases,
        ),
    )
