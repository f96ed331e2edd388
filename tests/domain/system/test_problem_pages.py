"""A page for every problem code: what ``type`` in a problem leads to."""

import httpx
import pytest

from app.asgi import DOMAINS
from app.lib.domain import collect_error_codes
from app.lib.errors import ErrorCode

CODES = collect_error_codes(DOMAINS)


async def test_every_code_has_a_page(client: httpx.AsyncClient) -> None:
    for code in CODES:
        is_page(code, await client.get(code.type, headers={"Accept": "text/html"}))


def is_page(code: ErrorCode, page: httpx.Response) -> None:
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<code>{code.value}</code>" in page.text
    assert code.title.replace("'", "&#x27;") in page.text
    assert page.headers.get_list("content-security-policy") == [
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ]
    assert page.headers["cache-control"] == "public, max-age=3600"
    assert "<script" not in page.text


async def test_the_type_of_a_problem_leads_to_its_page(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/nowhere")).json()

    page = await client.get(problem["type"])

    assert page.status_code == 200
    assert problem["title"] in page.text


async def test_the_index_links_every_page(client: httpx.AsyncClient) -> None:
    index = await client.get("/problems")

    assert index.status_code == 200
    assert all(f'href="{code.type}"' in index.text for code in CODES)


@pytest.mark.parametrize("slug", ["nonsense", "validation_failed", "NOT-FOUND", "%00", "..%2f..%2fapp", "<script>"])
async def test_what_is_no_code_is_404(client: httpx.AsyncClient, slug: str) -> None:
    response = await client.get(f"/problems/{slug}")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
