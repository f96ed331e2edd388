"""The way of a front end and its browser to a provider and back."""

from dataclasses import dataclass
from typing import Any

import httpx
from litestar import Litestar
from sqlalchemy import Row, select

from app.domain.identities.providers.openid import OpenIDProvider
from app.domain.identities.providers.registry import Providers
from app.lib.db.base import Base
from tests.domain.identities.provider import IdentityProvider
from tests.support.apps import client_of, core_of
from tests.support.people import People, Person

PROVIDERS = "/api/v1/auth/providers"
MINE = "/api/v1/users/me/identities"


@dataclass
class Journey:
    """``begin``, ``go`` and ``finish`` in this order; ``sign_in`` and ``link`` do all of it."""

    app: Litestar
    provider: IdentityProvider
    people: People

    def person(self, subject: str, email: str | None = None, *, verified: Any = True, **claims: Any) -> str:
        """Someone with an account at the provider."""
        named = {"email": email, "email_verified": verified} if email else {}
        self.provider.add(subject, **named, **claims)
        return subject

    def forget_times(self) -> None:
        """What was asked of providers is some minutes old."""
        for each in core_of(self.app).services.get(Providers).values():
            if isinstance(each, OpenIDProvider) and each._keys._kept is not None:
                asked_at, keys = each._keys._kept
                each._keys._kept = asked_at - 60, keys

    async def begin(self, name: str = "acme", *, by: Person | None = None) -> dict[str, Any]:
        async with client_of(self.app, headers=by.headers if by else {}) as client:
            if by is None:
                response = await client.post(f"{PROVIDERS}/{name}/authorize")
            else:
                response = await client.post(f"{MINE}/authorize", json={"provider": name})
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def go(self, begun: dict[str, Any], subject: str) -> dict[str, str]:
        """The body of the last request: what the browser comes back with, and the secret."""
        return {**self.provider.come_back(begun["authorization_url"], subject), "secret": begun["secret"]}

    async def finish(
        self, answer: dict[str, Any], name: str = "acme", *, by: Person | None = None, language: str = "en"
    ) -> httpx.Response:
        headers = {"Accept-Language": language, **(by.headers if by else {})}
        async with client_of(self.app, headers=headers) as client:
            if by is None:
                return await client.post(f"{PROVIDERS}/{name}/login", json=answer)
            return await client.post(f"{MINE}/link", json={"provider": name, **answer})

    async def sign_in(self, subject: str, name: str = "acme", *, language: str = "en") -> httpx.Response:
        return await self.finish(self.go(await self.begin(name), subject), name, language=language)

    async def link(self, subject: str, by: Person, name: str = "acme") -> httpx.Response:
        return await self.finish(self.go(await self.begin(name, by=by), subject), name, by=by)


async def rows(app: Litestar, model: type[Base]) -> list[Row[Any]]:
    """All rows of a table."""
    async with core_of(app).database.independent() as unit:
        return list(await unit.session.execute(select(model.__table__)))


def refusal(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a problem; with the pointer, where there is one."""
    body = response.json()
    return response.status_code, " ".join([body["code"], *(each.get("pointer", "") for each in body.get("errors", []))])


BEGIN_AGAIN = (422, "validation_failed /state")
WRONG_ANSWER = (422, "validation_failed /code")
DOWN = (503, "unavailable")
