"""URLs that mean "mine": two people never share a tag there, and nothing is stored (RFC 9110 section 8.8.3)."""

import httpx
import pytest
from litestar import Litestar

from tests.contract.routes import DOCUMENT, Operation, operations
from tests.support.people import People

ME = "/api/v1/users/me"
MINE = {
    *("/api/v1/orders", "/api/v1/webhooks", "/api/v1/rooms", "/api/v1/posts?mine=true", "/api/v1/posts?status=draft"),
    f"{ME}/notification-preferences",
}
"""Lists of what the caller has or may see, in domains that can be taken away."""
BODIES = {("PATCH", ME): {"name": "Ada"}, ("PUT", f"{ME}/profile"): {"bio": "Sails."}}


def under_me(app: Litestar) -> list[Operation]:
    return [each for each in operations(app) if f"{each.path}/".startswith(f"{ME}/")]


@pytest.mark.asvs("14.3.2")
async def test_what_one_person_has_is_no_answer_for_another(app: Litestar, people: People) -> None:
    """Walks all routes there are, so a new one needs no word here."""
    ada, eve = await people.create(), await people.create()
    found = {each.url() for each in under_me(app) if each.method == "GET"}
    found |= {url for url in MINE if url.partition("?")[0] in DOCUMENT["paths"]}
    tagged: set[str] = set()
    async with people.client(ada) as adas, people.client(eve) as eves:
        for url in sorted(found):
            first = await adas.get(url)
            assert first.headers["cache-control"] == "no-store", url
            if (tag := first.headers.get("etag")) is None:
                continue
            tagged.add(url)
            second = await eves.get(url, headers={"If-None-Match": tag})
            plain = await eves.get(url, headers={"If-None-Match": '"1", W/"1"'})
            again = await adas.get(url, headers={"If-None-Match": tag})
            assert ada.id.hex in tag
            assert (second.status_code, plain.status_code, again.status_code) == (200, 200, 304), url
            assert eve.id.hex in second.headers["etag"]
            assert again.headers["cache-control"] == "no-store"

    expected = {f"{ME}/notification-preferences", "/api/v1/posts?mine=true"} & found
    assert {ME, f"{ME}/profile", *expected} <= tagged


async def test_every_write_heeds_tags_with_and_without_their_owner(app: Litestar, people: People) -> None:
    """Of what every user has, and can read."""
    read = {each.path for each in under_me(app) if each.method == "GET" and "{" not in each.path}
    writes = [each for each in under_me(app) if each.method in {"PATCH", "PUT", "DELETE"} and each.path in read]
    ada, eve = await people.create(), await people.create()
    async with people.client(ada) as calls:
        for each in sorted(writes, key=lambda each: each.method == "DELETE"):  # the account goes last
            url = each.url()

            async def send(tag: str, method: str = each.method, url: str = url) -> httpx.Response:
                body = None if method == "DELETE" else BODIES.get((method, url), {})
                return await calls.request(method, url, json=body, headers={"If-Match": tag})

            tag = (await calls.get(url)).headers["etag"]
            foreign = tag.replace(ada.id.hex, eve.id.hex)
            assert (await send(foreign)).status_code == 412, (each.method, url)
            assert (await send(tag.replace('"', '"9', 1))).status_code == 412
            changed = await send(tag)
            assert changed.is_success, (each.method, url)
            if each.method != "DELETE":
                assert ada.id.hex in changed.headers["etag"]
                plain = (await calls.get(url)).headers["etag"].partition(".")[0]
                assert (await send(f'{plain}"')).is_success


@pytest.mark.asvs("14.3.2")
async def test_refusals_are_not_stored_either(app: Litestar, client: httpx.AsyncClient) -> None:
    for each in under_me(app):
        refused = await client.request(each.method, each.url())
        assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store"), each.path


@pytest.mark.parametrize("path", ["//api/v1/users/me", "/api/v1//users/me", "/api/v1/users/me/", "/api/v1/users/%6de"])
async def test_no_variant_of_the_path_forgets_the_owner(people: People, path: str) -> None:
    person = await people.create()
    async with people.client(person) as calls:
        response = await calls.get(f"http://testserver{path}")

    assert response.status_code == 404 or person.id.hex in response.headers["etag"]
    assert response.status_code == 404 or response.headers["cache-control"] == "no-store"
