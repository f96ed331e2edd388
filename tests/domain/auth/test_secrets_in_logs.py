"""What the log says about signing in: everything but the secrets [ASVS 16.2.5]."""

import logging
from collections.abc import Iterator
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.exc import IntegrityError

from app.lib.security.opaque import digest
from tests.domain.auth.steps import LOGIN, REGISTER, bearer, refresh, sessions_of, sign_in, user_row, whoami
from tests.support.apps import Deployment, client_of
from tests.support.people import People

pytestmark = pytest.mark.asvs("16.2.5")

KEYS = "/api/v1/users/me/api-keys"
LOGOUT = "/api/v1/auth/logout"
JSON = {"Content-Type": "application/json"}


class Lines(logging.Handler):
    """Keeps everything that is logged, as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Of all loggers, however the test configures them; as before afterwards."""
    root, lines = logging.getLogger(), Lines()
    handlers, level = root.handlers[:], root.level
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_no_password_token_or_hash_reaches_the_log(deployment: Deployment, lines: Lines) -> None:
    app = await deployment.start(LOG_LEVEL="debug", DATABASE_ECHO="true")
    logging.getLogger().handlers[:] = [lines]
    right, wrong = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    async with client_of(app) as client:
        body = {"email": "ada@example.com", "password": right}
        user_id = UUID((await client.post(REGISTER, json=body)).json()["id"])
        assert (await client.post(REGISTER, json=body)).status_code == 409
        tokens = (await sign_in(client, "ada@example.com", right)).json()
        assert (await sign_in(client, "ada@example.com", wrong)).status_code == 401
        assert (await client.post(LOGIN, content=f'{{"password": "{wrong}"', headers=JSON)).status_code == 400
        refreshed = (await refresh(client, tokens["refresh_token"])).json()
        assert (await whoami(client, refreshed["access_token"])).status_code == 200
        made = await client.post(KEYS, headers=bearer(refreshed["access_token"]), json={"name": "Nightly"})
        key = made.json()["key"]
        assert (await whoami(client, key)).status_code == 200
        assert (await whoami(client, key[:-1])).status_code == 401
        assert (await client.post(LOGOUT, headers=bearer(refreshed["access_token"]))).status_code == 204

    for statement in ("INSERT INTO users", "INSERT INTO sessions", "FROM sessions JOIN users", "FROM api_keys"):
        assert statement in lines.text
    (session,) = await sessions_of(app, user_id)
    kept = (await user_row(app, user_id)).password_hash, repr(session.secret), session.secret.hex()
    given = [pair[name] for pair in (tokens, refreshed) for name in ("access_token", "refresh_token")]
    for secret in (right, wrong, *kept, *given, key[:-1], digest(key).hex(), repr(digest(key))):
        assert secret not in lines.text


async def test_what_the_database_refused_is_not_repeated(deployment: Deployment) -> None:
    """Unforeseen errors are logged with all that they say."""
    app = await deployment.start()
    person = await People(app).create()
    password_hash = (await user_row(app, person.id)).password_hash

    with pytest.raises(IntegrityError) as refused:
        await People(app).create(email=person.email)

    assert password_hash not in str(refused.value)
