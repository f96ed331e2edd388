"""Profiles: one's own, those that administrators edit, and what the public sees and finds."""

from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import ME, MY_PROFILE, USERS, JSONObject, field_errors, is_refused, own_tag
from tests.support.audit import audited
from tests.support.people import People, Person

PROFILES = "/api/v1/profiles"
FULL: JSONObject = {
    "first_name": "Augusta Ada",
    "last_name": "King",
    "bio": "Writes programs.\nFor an engine\tthat does not exist.",
    "avatar_url": "https://images.example.com/ada.png",
}
EMPTY: JSONObject = dict.fromkeys(FULL)

UNFIT_URLS = [
    "http://example.com/a.png",
    "https://user:secret@example.com/a.png",
    "https://user@example.com/a.png",
    "https://localhost/a.png",
    "https://printer.local/a.png",
    "https://127.0.0.1/a.png",
    "https://0x7f000001/a.png",
    "https://2130706433/a.png",
    "https://127.1/a.png",
    "https://10.0.0.1/a.png",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/a.png",
    "https://metadata.internal/a.png",
    "https://example.com\\@evil.example/a.png",
    "https://example.com/a b.png",
    "https://example.com/a.png\n",
    "https://example.com:0/a.png",
    "https://exämple.com/a.png",
    "//example.com/a.png",
    "javascript:alert(1)",
    "data:image/png;base64,AAAA",
    "ftp://example.com/a.png",
    "https://",
    "",
]


def public_profile(user_id: UUID | str) -> str:
    return f"/api/v1/profiles/{user_id}"


async def test_a_new_account_has_an_empty_profile_that_shows_its_owner_the_address(people: People) -> None:
    person = await people.create(email="ada@example.com")
    async with people.client(person) as calls:
        response = await calls.get(MY_PROFILE)

    body = response.json()
    assert (response.status_code, response.headers["etag"]) == (200, own_tag(1, person))
    assert body.pop("created_at") == body.pop("updated_at")
    assert body == EMPTY | {"user_id": str(person.id), "full_name": "ada@example.com", "version": 1}


async def test_put_replaces_the_whole_profile(calls: httpx.AsyncClient, caller: Person) -> None:
    first = await calls.put(MY_PROFILE, json=FULL)
    second = await calls.put(MY_PROFILE, json={"bio": "Short."})

    assert (first.status_code, first.headers["etag"]) == (200, own_tag(2, caller))
    assert {name: first.json()[name] for name in FULL} == FULL
    assert {name: second.json()[name] for name in FULL} == EMPTY | {"bio": "Short."}
    assert second.json() == (await calls.get(MY_PROFILE)).json()


async def test_the_same_profile_again_changes_nothing(calls: httpx.AsyncClient) -> None:
    first = await calls.put(MY_PROFILE, json=FULL)
    second = await calls.put(MY_PROFILE, json=FULL)

    assert second.json() == first.json()
    assert second.headers["etag"] == first.headers["etag"]


async def test_put_heeds_if_match(calls: httpx.AsyncClient) -> None:
    stale = await calls.put(MY_PROFILE, json=FULL, headers={"If-Match": '"2"'})
    fresh = await calls.put(MY_PROFILE, json=FULL, headers={"If-Match": 'W/"1"'})

    assert is_refused(stale, 412, "precondition_failed")
    assert fresh.status_code == 200


@pytest.mark.parametrize(
    ("profile", "full_name"),
    [
        ({"first_name": "Augusta", "last_name": "King"}, "Augusta King"),
        ({"first_name": "Augusta"}, "Augusta"),
        ({"last_name": "King"}, "King"),
        ({"bio": "No name."}, "Ada Lovelace"),
    ],
)
async def test_the_full_name_is_first_and_last_name_else_the_accounts_name(
    people: People, profile: JSONObject, full_name: str
) -> None:
    person = await people.create(name="Ada Lovelace")
    async with people.client(person) as calls:
        own = await calls.put(MY_PROFILE, json=profile)
        public = await calls.get(public_profile(person.id))

    assert own.json()["full_name"] == full_name
    assert public.json()["name"] == full_name


async def test_the_public_sees_a_profile_without_names_times_or_address(
    client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(email="ada@example.com", username="ada")
    await client.put(MY_PROFILE, json=FULL, headers=person.headers)

    response = await client.get(public_profile(person.id))

    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    assert response.json() == {
        "id": str(person.id),
        "username": "ada",
        "name": "Augusta Ada King",
        "bio": FULL["bio"],
        "avatar_url": FULL["avatar_url"],
        "version": 2,
    }


@pytest.mark.asvs("14.2.6")
async def test_who_gave_no_name_has_none_in_public(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(email="ada@example.com")
    admin = await people.create(permissions=["users:read"])

    public = await client.get(public_profile(person.id))
    expanded = await client.get(f"{USERS}/{person.id}", params={"expand": "profile"}, headers=admin.headers)

    assert public.json()["name"] is None
    assert "ada@example.com" not in public.text
    assert expanded.json()["profile"]["full_name"] is None


async def test_the_owner_sees_their_own_address_in_the_expanded_profile(people: People) -> None:
    person = await people.create(email="ada@example.com")
    async with people.client(person) as calls:
        response = await calls.get(f"{USERS}/{person.id}", params={"expand": "profile"})

    assert response.json()["profile"] == (await _own_profile(people, person)).json()


async def _own_profile(people: People, person: Person) -> httpx.Response:
    async with people.client(person) as calls:
        return await calls.get(MY_PROFILE)


@pytest.mark.parametrize("patch", [{"name": "Ada"}, {"username": "ada"}])
async def test_the_etag_of_a_profile_changes_with_the_account(people: People, patch: JSONObject) -> None:
    person = await people.create()
    async with people.client(person) as calls:
        before = (await calls.get(public_profile(person.id))).headers["etag"]
        await calls.patch(ME, json=patch)
        response = await calls.get(public_profile(person.id), headers={"If-None-Match": before})

    assert response.status_code == 200
    assert response.json().items() >= patch.items()


async def test_the_etag_of_the_own_profile_changes_with_the_address(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    admin = await people.create(permissions=["users:write"])
    etag = (await client.get(MY_PROFILE, headers=person.headers)).headers["etag"]

    await client.patch(f"{USERS}/{person.id}", json={"email": "new@example.com"}, headers=admin.headers)
    response = await client.get(MY_PROFILE, headers=person.headers | {"If-None-Match": etag})

    assert response.status_code == 200
    assert response.json()["full_name"] == "new@example.com"


async def test_the_etag_of_a_profile_stays_when_nothing_that_it_shows_changed(people: People) -> None:
    person = await people.create()
    async with people.client(person) as calls:
        before = (await calls.get(MY_PROFILE)).headers["etag"]
        await calls.patch(ME, json={"locale": "de"})
        response = await calls.get(MY_PROFILE, headers={"If-None-Match": before})

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == before


async def test_the_profile_of_a_deactivated_person_is_not_there(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(is_active=False)

    assert is_refused(await client.get(public_profile(person.id)), 404, "not_found")


@pytest.mark.parametrize("user_id", ["0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", "not-an-id", "0193a3c4", "%00", "ADA"])
async def test_an_unknown_or_malformed_id_is_not_found(client: httpx.AsyncClient, user_id: str) -> None:
    assert is_refused(await client.get(public_profile(user_id)), 404, "not_found")


async def test_a_public_profile_does_not_look_at_credentials(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    response = await client.get(public_profile(person.id), headers={"Authorization": "Bearer nonsense"})

    assert response.status_code == 200


@pytest.mark.asvs("1.3.6")
async def test_an_avatar_is_a_public_https_url(calls: httpx.AsyncClient) -> None:
    for url in UNFIT_URLS:
        response = await calls.put(MY_PROFILE, json={"avatar_url": url})
        assert (url, set(field_errors(response))) == (url, {"/avatar_url"})
        assert not url or url not in response.text


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "https://xn--exmple-cua.com:8443/%C3%A4.png?size=2#top",
        "https://example.com/" + "a" * 2028,
    ],
)
async def test_a_public_https_url_is_kept_as_it_is(calls: httpx.AsyncClient, url: str) -> None:
    response = await calls.put(MY_PROFILE, json={"avatar_url": url})

    assert response.json()["avatar_url"] == url


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("first_name", "a" * 101, "too_long"),
        ("first_name", "", "too_short"),
        ("first_name", "  ", "invalid_format"),
        ("last_name", "King\nEvil: header", "invalid_format"),
        ("last_name", "King\u0000", "invalid_format"),
        ("last_name", "\u202egniK", "invalid_format"),
        ("last_name", 7, "invalid_type"),
        ("bio", "b" * 2001, "too_long"),
        ("bio", "bell\u0007", "invalid_format"),
        ("bio", "nul\u0000", "invalid_format"),
        ("avatar_url", "https://example.com/" + "a" * 2029, "too_long"),
        ("full_name", "Ada King", "unknown_field"),
        ("user_id", "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", "unknown_field"),
        ("version", 1, "unknown_field"),
    ],
)
async def test_members_of_a_profile_have_bounds(
    calls: httpx.AsyncClient, member: str, value: object, code: str
) -> None:
    response = await calls.put(MY_PROFILE, json={member: value})

    assert field_errors(response) == {f"/{member}": code}


@pytest.mark.parametrize(
    "name", ["عائشة", "שרה", "Zoë", "李小龙", "O'Brien", "👩‍🚀", "\U0001d504\U0001d521\U0001d51e", "n" * 100]
)
async def test_names_of_all_scripts_are_kept_as_typed(calls: httpx.AsyncClient, name: str) -> None:
    response = await calls.put(MY_PROFILE, json={"first_name": name, "bio": name})

    assert (response.json()["full_name"], response.json()["bio"]) == (name, name)
    assert (await calls.get(MY_PROFILE)).json()["first_name"] == name


async def test_a_profile_is_json_and_nothing_else(calls: httpx.AsyncClient) -> None:
    patch_type = await calls.put(MY_PROFILE, content=b"{}", headers={"Content-Type": "application/merge-patch+json"})
    no_body = await calls.put(MY_PROFILE)
    null = await calls.put(MY_PROFILE, json=None, content=b"null", headers={"Content-Type": "application/json"})

    assert is_refused(patch_type, 415, "unsupported_media_type")
    assert field_errors(no_body) == {"": "required"}
    assert field_errors(null) == {"": "invalid_type"}


async def test_a_patch_changes_what_it_names(calls: httpx.AsyncClient) -> None:
    await calls.put(MY_PROFILE, json=FULL)
    merge = {"Content-Type": "application/merge-patch+json"}
    patched = await calls.patch(MY_PROFILE, content=b'{"bio": null, "first_name": "Ada"}', headers=merge)
    same = await calls.patch(MY_PROFILE, json={}, headers={"If-Match": patched.headers["etag"]})
    stale = await calls.patch(MY_PROFILE, json={"bio": "x"}, headers={"If-Match": '"2"'})

    assert {name: patched.json()[name] for name in FULL} == FULL | {"bio": None, "first_name": "Ada"}
    assert same.json() == patched.json()
    assert is_refused(stale, 412, "precondition_failed")
    assert field_errors(await calls.patch(MY_PROFILE, json={"full_name": "x", "avatar_url": "http://x.test"})) == {
        "/full_name": "unknown_field",
        "/avatar_url": "invalid_format",
    }


async def test_administrators_edit_profiles_within_their_reach(people: People, app: Litestar) -> None:
    person, boss = await people.create(email="ada@example.com"), await people.create(is_superuser=True)
    admin = await people.create(permissions=["users:read", "users:write"])
    async with people.client(admin) as calls:
        url = f"{USERS}/{person.id}/profile"
        shown = await calls.get(url)
        changed = await calls.patch(url, json={"bio": "Mended."}, headers={"If-Match": shown.headers["etag"]})
        again = await calls.patch(url, json={"bio": "Mended."})
        beyond = await calls.patch(f"{USERS}/{boss.id}/profile", json={"bio": "Mine."})
        absent = await calls.patch(f"{USERS}/{uuid4()}/profile", json={"bio": "x"})
    async with people.client(person) as calls:
        own = await calls.get(url)
        foreign = [await calls.get(f"{USERS}/{boss.id}/profile"), await calls.patch(f"{USERS}/{boss.id}/profile")]
        refused = await calls.patch(url, json={"bio": "x"})

    assert (shown.json()["full_name"], own.json()["full_name"]) == (None, "ada@example.com")
    assert (changed.status_code, changed.json()["bio"], own.json()["bio"]) == (200, "Mended.", "Mended.")
    assert again.json() == changed.json()
    assert is_refused(beyond, 403, "permission_denied")
    assert is_refused(absent, 404, "not_found")
    assert [each.status_code for each in foreign] == [404, 404]
    assert is_refused(refused, 403, "permission_denied")
    assert [each.subject_id for each in await audited(app, "profile.updated")] == [person.id]


async def test_people_are_found_by_their_whole_username(client: httpx.AsyncClient, people: People) -> None:
    ada = await people.create(username="Ada.L", email="ada@example.com")
    await people.create(username="gone", is_active=False)
    await people.create(username="ada.lovelace")

    found = await client.get(PROFILES, params={"username": "ada.l"})
    both = await client.get(
        PROFILES, params={"username": ["ADA.L", "ada.lovelace", "gone", "ada", "%", "ada@example.com"]}
    )

    assert (found.json()["total"], found.json()["items"]) == (1, [(await client.get(public_profile(ada.id))).json()])
    assert [each["username"] for each in both.json()["items"]] == ["Ada.L", "ada.lovelace"]
    assert field_errors(await client.get(PROFILES)) == {"username": "required"}
    assert field_errors(await client.get(PROFILES, params={"username": ""})) == {"username": "too_short"}
