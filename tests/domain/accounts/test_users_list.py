import httpx
import pytest
from litestar import Litestar

from tests.support.counting import counted_statements
from tests.support.people import People


@pytest.mark.caller("users:read")
async def test_a_page_of_accounts_takes_two_statements(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    for _ in range(5):
        await people.create()
    await calls.get("/api/v1/users")  # the principal is remembered from here on

    with counted_statements(app) as statements:
        response = await calls.get("/api/v1/users", params={"page_size": "2"})

    assert response.status_code == 200
    assert response.json()["total"] == 6
    assert len(statements) == 2


@pytest.mark.caller("users:read")
async def test_filter_by_role(calls: httpx.AsyncClient, people: People) -> None:
    await people.role("captain")
    captain = await people.create(roles=["captain"])

    response = await calls.get("/api/v1/users", params={"role": "captain"})

    assert [user["id"] for user in response.json()["items"]] == [str(captain.id)]
    assert response.json()["items"][0]["roles"] == ["captain"]
