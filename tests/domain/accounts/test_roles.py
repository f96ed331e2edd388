"""GET /permissions; GET, POST, PATCH and DELETE /roles."""

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import Role, RolePermission, UserRole
from tests.domain.accounts.answers import ME, ROLES, USERS, audited, field_errors, is_refused, rows
from tests.support.people import People

RIGHTS = ("roles:read", "roles:write", "users:read")


@pytest.mark.caller("roles:read")
async def test_permissions_come_from_the_code_on_one_page(calls: httpx.AsyncClient) -> None:
    response = await calls.get("/api/v1/permissions")

    page = response.json()
    codes = [item["code"] for item in page["items"]]
    assert response.status_code == 200
    assert codes == sorted(codes)
    assert {"users:read", "users:write", "users:delete", "roles:read", "roles:write"} <= set(codes)
    assert all(item["description"].endswith(".") for item in page["items"])
    assert (page["total"], page["page"], page["pages"], page["next_cursor"]) == (len(codes), 1, 1, None)


@pytest.mark.caller("roles:read")
async def test_permissions_are_paged_like_every_list(calls: httpx.AsyncClient) -> None:
    everything = [item["code"] for item in (await calls.get("/api/v1/permissions")).json()["items"]]

    first = await calls.get("/api/v1/permissions?page_size=2")
    walked, cursor = [], first.json()["next_cursor"]
    while cursor:
        page = (await calls.get("/api/v1/permissions", params={"page_size": 2, "cursor": cursor})).json()
        assert (page["page"], page["total"]) == (None, None)
        walked += [item["code"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert first.headers["link"].endswith('rel="next"')
    assert [item["code"] for item in first.json()["items"]] + walked == everything
    assert (await calls.get("/api/v1/permissions?page=99")).json()["items"] == []
    assert is_refused(await calls.get("/api/v1/permissions?cursor=bm9uZQ"), 400, "invalid_cursor")


@pytest.mark.caller(*RIGHTS)
async def test_a_role_is_made_with_its_location_and_etag(calls: httpx.AsyncClient) -> None:
    response = await calls.post(
        ROLES, json={"name": "captain", "description": "Sails.", "permissions": ["users:read", "roles:read"]}
    )

    body = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/roles/{body['id']}"
    assert response.headers["etag"] == '"1"'
    assert (await calls.get(response.headers["location"])).json() == body
    assert body.pop("id")
    assert body.pop("created_at") == body.pop("updated_at")
    assert body == {
        "name": "captain",
        "description": "Sails.",
        "permissions": ["roles:read", "users:read"],
        "requires_mfa": False,
        "version": 1,
    }


@pytest.mark.caller(*RIGHTS)
async def test_a_role_needs_only_a_name_and_has_each_permission_once(calls: httpx.AsyncClient) -> None:
    least = (await calls.post(ROLES, json={"name": "cook"})).json()
    twice = (await calls.post(ROLES, json={"name": "mate", "permissions": ["users:read", "users:read"]})).json()

    assert (least["description"], least["permissions"]) == (None, [])
    assert twice["permissions"] == ["users:read"]


@pytest.mark.caller(*RIGHTS)
async def test_a_role_name_is_unique(calls: httpx.AsyncClient, people: People) -> None:
    await people.role("captain")
    url = f"{ROLES}/{await people.role('cook')}"

    created = await calls.post(ROLES, json={"name": "captain"})
    renamed = await calls.patch(url, json={"name": "captain"})

    assert is_refused(created, 409, "duplicate")
    assert is_refused(renamed, 409, "duplicate")
    assert created.json()["errors"] == [{"pointer": "/name", "code": "not_unique", "detail": "Is taken."}]
    assert (await calls.get(url)).json()["name"] == "cook"


@pytest.mark.caller(*RIGHTS)
async def test_members_of_a_role_have_bounds(calls: httpx.AsyncClient, people: People) -> None:
    url = f"{ROLES}/{await people.role('cook')}"
    for member, value, code in [
        ("name", "c", "invalid_format"),
        ("name", "Captain", "invalid_format"),
        ("name", "1st", "invalid_format"),
        ("name", "cap,tain", "invalid_format"),
        ("name", "cap tain", "invalid_format"),
        ("name", "captain\n", "invalid_format"),
        ("name", "captain\u0000", "invalid_format"),
        ("name", "käpt", "invalid_format"),
        ("name", "c" * 51, "too_long"),
        ("name", None, "invalid_type"),
        ("description", "", "too_short"),
        ("description", "d" * 256, "too_long"),
        ("description", "two\nlines", "invalid_format"),
        ("description", "\u202eback", "invalid_format"),
        ("permissions", None, "invalid_type"),
        ("permissions", "users:read", "invalid_type"),
        ("permissions", ["users:read"] * 201, "too_long"),
        ("id", "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", "unknown_field"),
        ("version", 1, "unknown_field"),
        ("created_at", "2026-01-31T12:00:00Z", "unknown_field"),
    ]:
        created = await calls.post(ROLES, json={"name": "captain"} | {member: value})
        patched = await calls.patch(url, json={member: value})

        assert field_errors(created) == field_errors(patched) == {f"/{member}": code}


@pytest.mark.caller("superuser")
async def test_each_unknown_permission_is_named_by_its_place(calls: httpx.AsyncClient) -> None:
    unknown = await calls.post(ROLES, json={"name": "captain", "permissions": ["users:read", "ship:sink", "a:b"]})
    malformed = await calls.post(ROLES, json={"name": "captain", "permissions": ["users:read", "Ship", 7, None]})

    assert field_errors(unknown) == {"/permissions/1": "invalid_choice", "/permissions/2": "invalid_choice"}
    assert field_errors(malformed) == {
        "/permissions/1": "invalid_format",
        "/permissions/2": "invalid_type",
        "/permissions/3": "invalid_type",
    }


@pytest.mark.caller(*RIGHTS)
async def test_a_role_is_changed_and_the_rest_kept(calls: httpx.AsyncClient, people: People) -> None:
    url = f"{ROLES}/{await people.role('captain', ['users:read'])}"
    before = (await calls.get(url)).json()

    described = (await calls.patch(url, json={"description": "Sails."})).json()
    permitted = await calls.patch(url, json={"permissions": ["roles:read"]})
    cleared = (await calls.patch(url, json={"description": None, "permissions": []})).json()

    assert described | {"updated_at": 0} == before | {"description": "Sails.", "version": 2, "updated_at": 0}
    assert (permitted.json()["permissions"], permitted.headers["etag"]) == (["roles:read"], '"3"')
    assert permitted.json()["updated_at"] > described["updated_at"] > before["updated_at"]
    assert (cleared["description"], cleared["permissions"], cleared["version"]) == (None, [], 4)
    assert (await calls.get(url)).json() == cleared


@pytest.mark.caller(*RIGHTS)
async def test_a_patch_that_changes_nothing_leaves_no_trace(
    app: Litestar, calls: httpx.AsyncClient, people: People
) -> None:
    url = f"{ROLES}/{await people.role('captain', ['users:read', 'roles:read'])}"
    before = await calls.get(url)
    for patch in [
        {},
        {"name": "captain", "description": None, "permissions": ["users:read", "roles:read", "users:read"]},
    ]:
        response = await calls.patch(url, json=patch)

        assert (response.status_code, response.json()) == (200, before.json())
        assert response.headers["etag"] == before.headers["etag"]
        assert await audited(app, "role.updated") == []


@pytest.mark.caller(*RIGHTS)
async def test_a_deleted_role_is_gone_from_everywhere(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    role_id = await people.role("captain", ["users:read"])
    holder = await people.create(roles=["captain"])
    url = f"{ROLES}/{role_id}"

    first, second = await calls.delete(url), await calls.delete(url)

    assert (first.status_code, first.content) == (204, b"")
    assert is_refused(second, 404, "not_found")
    assert is_refused(await calls.get(url), 404, "not_found")
    assert is_refused(await calls.patch(url, json={}), 404, "not_found")
    assert await rows(app, Role, Role.id == role_id) == []
    assert await rows(app, RolePermission, RolePermission.role_id == role_id) == []
    assert await rows(app, UserRole, UserRole.role_id == role_id) == []
    assert (await calls.get(ME, headers=holder.headers)).json()["roles"] == []


@pytest.mark.caller(*RIGHTS)
async def test_roles_are_listed_by_name(calls: httpx.AsyncClient, people: People) -> None:
    for name in ("cook", "captain", "boatswain"):
        await people.role(name, ["users:read", "roles:read"] if name == "captain" else [])

    up = (await calls.get(ROLES)).json()
    down = (await calls.get(ROLES, params={"sort": "-name"})).json()
    second = (await calls.get(ROLES, params={"page": 2, "page_size": 2})).json()

    assert [role["name"] for role in up["items"]] == ["boatswain", "captain", "cook", "made-for-1"]
    assert up["items"][1]["permissions"] == ["roles:read", "users:read"]
    assert down["items"] == up["items"][::-1]
    assert [role["name"] for role in second["items"]] == ["cook", "made-for-1"]
    assert (second["total"], second["pages"]) == (4, 2)
    assert is_refused(await calls.get(ROLES, params={"q": "c"}), 400, "unknown_parameter")
    assert field_errors(await calls.get(ROLES, params={"sort": "created_at"})) == {"sort": "invalid_choice"}


@pytest.mark.caller(*RIGHTS)
async def test_a_renamed_role_reads_differently_on_its_holders_at_once(
    calls: httpx.AsyncClient, people: People
) -> None:
    role_id = await people.role("captain")
    holder, other = await people.create(roles=["captain"]), await people.create()
    etags = [(await calls.get(ME, headers=each.headers)).headers["etag"] for each in (holder, other)]

    await calls.patch(f"{ROLES}/{role_id}", json={"name": "skipper"})

    fresh = await calls.get(ME, headers=holder.headers | {"If-None-Match": etags[0]})
    same = await calls.get(ME, headers=other.headers | {"If-None-Match": etags[1]})
    assert (fresh.status_code, fresh.json()["roles"]) == (200, ["skipper"])
    assert same.status_code == 304
    listed = await calls.get(USERS, params={"role": "skipper"})
    assert [user["id"] for user in listed.json()["items"]] == [str(holder.id)]


@pytest.mark.caller(*RIGHTS)
async def test_the_etag_of_holders_changes_with_a_deleted_role_and_not_with_its_permissions(
    calls: httpx.AsyncClient, people: People
) -> None:
    url = f"{ROLES}/{await people.role('captain')}"
    holder = await people.create(roles=["captain"])
    headers = holder.headers | {"If-None-Match": (await calls.get(ME, headers=holder.headers)).headers["etag"]}

    await calls.patch(url, json={"permissions": ["users:read"]})
    assert (await calls.get(ME, headers=headers)).status_code == 304
    await calls.delete(url)
    assert (await calls.get(ME, headers=headers)).status_code == 200


@pytest.mark.asvs("8.3.2")
@pytest.mark.caller(*RIGHTS)
async def test_a_change_of_a_roles_permissions_counts_on_the_next_request(
    calls: httpx.AsyncClient, people: People
) -> None:
    role_id = await people.role("captain")
    holder = await people.create(roles=["captain"])
    url = f"{ROLES}/{role_id}"
    statuses = []
    for permissions in ([], ["users:read"], ["roles:read"], ["users:read"]):
        await calls.patch(url, json={"permissions": permissions})
        statuses.append((await calls.get(USERS, headers=holder.headers)).status_code)
    await calls.delete(url)
    statuses.append((await calls.get(USERS, headers=holder.headers)).status_code)

    assert statuses == [403, 200, 403, 200, 403]


@pytest.mark.caller("superuser")
async def test_a_role_with_a_permission_that_the_code_has_no_more_can_still_be_changed(
    calls: httpx.AsyncClient, people: People
) -> None:
    url = f"{ROLES}/{await people.role('captain', ['ships:sail'])}"

    renamed = await calls.patch(url, json={"name": "skipper"})
    again = await calls.patch(url, json={"permissions": ["ships:sail"]})

    assert (renamed.status_code, renamed.json()["permissions"]) == (200, ["ships:sail"])
    assert field_errors(again) == {"/permissions/0": "invalid_choice"}


@pytest.mark.asvs("16.3.3")
@pytest.mark.caller(*RIGHTS)
async def test_deeds_on_roles_are_audited(app: Litestar, calls: httpx.AsyncClient) -> None:
    role_id = (await calls.post(ROLES, json={"name": "captain"})).json()["id"]
    await calls.patch(f"{ROLES}/{role_id}", json={"permissions": ["users:read"]})
    await calls.delete(f"{ROLES}/{role_id}")

    for kind, permissions in (
        ("role.created", []),
        ("role.updated", ["users:read"]),
        ("role.deleted", ["users:read"]),
    ):
        entry = (await audited(app, kind))[0]
        assert str(entry.subject_id) == role_id
        assert entry.actor_id is not None
        assert entry.details == {"name": "captain", "permissions": permissions, "requires_mfa": False}
