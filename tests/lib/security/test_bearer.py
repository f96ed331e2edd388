"""``Authorization: Bearer`` and nothing else."""

import httpx
import pytest

from app.lib.errors import InvalidToken
from app.lib.security.bearer import bearer_token
from tests.lib.http.toys import call
from tests.lib.security.test_policies import Names, toy


async def ask(path: str = "/authenticated", **options: object) -> httpx.Response:
    async with call(toy()) as client:
        return await client.get(path, **options)  # type: ignore[arg-type]  # keywords of httpx by name


@pytest.mark.parametrize("header", ["Bearer user", "bearer user", "BEARER user", "Bearer   user", "Bearer user "])
async def test_the_scheme_has_no_case(header: str) -> None:
    assert (await ask(headers={"Authorization": header})).json() == {"caller": "user"}


@pytest.mark.parametrize(
    "header",
    [
        "Basic dXNlcjp1c2Vy",
        "Token user",
        "Bearer",
        "Bearer ",
        "user",
        "",
        "Bearer user, Bearer user",
        "Bearer us er",
        "Bearer usér",
        "Beareruser",
        "Bearer\tuser",
    ],
)
@pytest.mark.parametrize("path", ["/authenticated", "/optional"])
async def test_other_credentials_are_refused_and_not_ignored(path: str, header: str) -> None:
    response = await ask(path, headers=[(b"Authorization", header.encode())])

    assert response.status_code == 401
    assert response.json()["code"] == "invalid_token"
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_two_headers_are_refused() -> None:
    response = await ask(headers=[("Authorization", "Bearer user"), ("Authorization", "Bearer superuser")])

    assert response.status_code == 401
    assert response.json()["code"] == "invalid_token"


@pytest.mark.asvs("14.2.1")
async def test_tokens_elsewhere_are_no_credentials() -> None:
    assert (
        await ask(headers={"Cookie": "access_token=user; token=user; Authorization=Bearer user"})
    ).status_code == 401
    assert (await ask(headers={"X-Authorization": "Bearer user"})).status_code == 401
    assert (await ask(headers={"Proxy-Authorization": "Bearer user"})).status_code == 401
    assert (await ask("/authenticated?access_token=user")).status_code == 401
    async with call(toy()) as client:
        response = await client.request("GET", "/authenticated", data={"access_token": "user"})
    assert response.status_code == 401


async def test_a_refused_token_is_not_repeated() -> None:
    response = await ask(headers={"Authorization": "Bearer hunter2"})

    assert "hunter2" not in response.text
    assert not any("hunter2" in value for value in response.headers.values())


async def test_unrouted_requests_ask_no_authenticator() -> None:
    names = Names()
    async with call(toy(names), headers={"Authorization": "Bearer user"}) as client:
        assert (await client.get("/nowhere")).status_code == 404
        assert (await client.put("/authenticated")).status_code == 405

    assert names.asked == []


def test_no_header_is_no_token() -> None:
    scope: object = {"headers": [(b"accept", b"*/*")]}
    assert bearer_token(scope) is None  # type: ignore[arg-type]  # all it reads of a scope


def test_a_broken_header_raises() -> None:
    scope: object = {"headers": [(b"authorization", b"Bearer \xff")]}
    with pytest.raises(InvalidToken):
        bearer_token(scope)  # type: ignore[arg-type]  # all it reads of a scope
