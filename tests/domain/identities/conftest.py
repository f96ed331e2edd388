import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from litestar import Litestar

from app.domain.identities.providers.openid import OpenIDProvider
from app.domain.identities.providers.registry import Providers
from app.lib.db.url import DatabaseURL
from tests.domain.identities.provider import IdentityProvider, identity_provider
from tests.domain.identities.steps import Journey
from tests.support.apps import core_of, running_app
from tests.support.people import People


@pytest.fixture(scope="session")
def server() -> Iterator[IdentityProvider]:
    """One for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "AUTHLIB_INSECURE_TRANSPORT", "1")  # its half speaks http on this machine
        with identity_provider() as provider:
            yield provider


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_app(database_url: DatabaseURL, server: IdentityProvider) -> AsyncIterator[Litestar]:
    """One with identity providers, in place of the one that all tests share."""
    async with running_app(database_url, OIDC_PROVIDERS=server.configs(), RATE_LIMIT_AUTH="1000/minute") as app:
        yield app


@pytest.fixture
def provider(app: Litestar, server: IdentityProvider) -> Iterator[IdentityProvider]:
    """It behaves well, and nothing is remembered of it."""
    for each in core_of(app).services.get(Providers).values():
        if isinstance(each, OpenIDProvider):
            for published in (each._metadata, each._keys):
                published._kept, published._failed_at = None, float("-inf")
    server.forget()
    yield server
    server.forget()


@pytest.fixture
def journey(app: Litestar, provider: IdentityProvider, people: People) -> Journey:
    """A browser and a front end."""
    return Journey(app, provider, people)
