"""Sign-in over HTTP."""

import httpx

from tests.support.people import PASSWORD, People


async def test_the_right_password_gives_a_pair_of_tokens(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(email="Ada@Example.com")

    response = await client.post("/api/v1/auth/login", data={"username": "ada@example.com", "password": PASSWORD})

    assert response.status_code == 200
    tokens = response.json()
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 600
    me = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["id"] == str(person.id)
    assert response.headers["cache-control"] == "no-store"
