"""What a fault that passes looks like to a client."""

import httpx


def assert_unavailable(response: httpx.Response) -> None:
    """503 as a problem that says when to come again, and nothing of what is behind it."""
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    problem = response.json()
    assert problem["code"] == "unavailable"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert not {"asyncpg", "sqlite", "sqlalchemy", "Errno", "SELECT", "127.0.0.1"} & set(response.text.split())
