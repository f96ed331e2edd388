"""GET and POST /webhooks; GET, PATCH and DELETE /webhooks/{id}; POST /webhooks/{id}/rotate-secret."""

import asyncio
from base64 import b64decode
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from app.asgi import DOMAINS
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookSubscription
from app.lib.clock import utc_now
from tests.domain.accounts.answers import ME, JSONObject, audited, field_errors, is_refused, rows
from tests.domain.webhooks.attempts import URL, WEBHOOKS, Attempts, make_webhook
from tests.support.apps import core_of
from tests.support.people import People, Person

KINDS = "/api/v1/webhook-kinds"
BODY = {"url": URL, "kinds": ["user.updated", "user.deleted", "user.updated"], "description": "Ours"}


def key_of(secret: str) -> bytes:
    return b64decode(secret.removeprefix("whsec_"))


async def test_a_webhook_is_created_and_its_secret_shown_once(calls: httpx.AsyncClient) -> None:
    response = await calls.post(WEBHOOKS, json=BODY)

    body = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{WEBHOOKS}/{body['id']}"
    assert (response.headers["etag"], response.headers["cache-control"]) == ('"1"', "no-store")
    assert len(key_of(body.pop("secret"))) == 32
    shown = await calls.get(response.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (body, '"1"')
    assert (await calls.get(WEBHOOKS)).json()["items"] == [body]
    assert body.pop("id")
    assert body.pop("created_at") == body.pop("updated_at")
    assert body == {
        "url": URL,
        "description": "Ours",
        "kinds": ["user.deleted", "user.updated"],
        "is_active": True,
        "disabled_reason": None,
        "first_failed_at": None,
        "former_secret_expires_at": None,
        "version": 1,
    }


async def test_the_database_does_not_hold_the_secret(app: Litestar, calls: httpx.AsyncClient) -> None:
    made = await make_webhook(calls)

    (row,) = await rows(app, WebhookEndpoint)
    key = key_of(made["secret"])
    assert key not in row.secret
    assert made["secret"].encode() not in row.secret
    assert core_of(app).sealer.open(row.secret, row.id.bytes) == key


BOUNDS: list[tuple[str, object, str]] = [  # of URLs more in tests/lib/webhooks
    ("url", "http://hooks.example.com/in", "invalid_format"),
    ("url", "https://127.0.0.1/in", "invalid_format"),
    ("url", "https://hooks.example.com/\n", "invalid_format"),
    ("url", "https://hooks.example.com/" + "a" * 2048, "too_long"),
    ("url", None, "invalid_type"),
    ("kinds", [], "too_short"),
    ("kinds", None, "invalid_type"),
    ("description", "", "too_short"),
    ("is_active", None, "invalid_type"),
    ("owner_id", "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", "unknown_field"),
    ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "unknown_field"),
    ("disabled_reason", None, "unknown_field"),
]


async def test_members_have_bounds(calls: httpx.AsyncClient) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"

    for member, value, code in BOUNDS:
        created = await calls.post(WEBHOOKS, json=BODY | {member: value})
        patched = await calls.patch(url, json={member: value})

        assert field_errors(created) == field_errors(patched) == {f"/{member}": code}


async def test_all_errors_are_shown_at_once(calls: httpx.AsyncClient) -> None:
    refused = await calls.post(
        WEBHOOKS, json={"url": "https://10.0.0.1/", "kinds": ["user.updated", "ship.sunk", "webhook.test"]}
    )

    assert field_errors(refused) == {
        "/url": "invalid_format",
        "/kinds/1": "invalid_choice",
        "/kinds/2": "invalid_choice",
    }


async def test_kinds_are_listed(calls: httpx.AsyncClient) -> None:
    page = (await calls.get(KINDS)).json()

    names = sorted(kind.name for domain in DOMAINS for kind in domain.webhook_kinds)
    assert {"user.deleted", "user.registered"} <= {*names}
    assert [item["name"] for item in page["items"]] == names[:20]
    assert page["total"] == len(names)
    assert (await calls.get(KINDS, params={"page_size": 4, "page": 2})).headers["link"].count("rel=") == 3


async def test_a_webhook_is_changed_and_the_rest_kept(calls: httpx.AsyncClient) -> None:
    made = await make_webhook(calls)
    url = f"{WEBHOOKS}/{made['id']}"
    before = (await calls.get(url)).json()

    described = (await calls.patch(url, json={"description": "Theirs"})).json()
    kinds = await calls.patch(url, json={"kinds": ["user.deleted"]})
    moved = (await calls.patch(url, json={"url": f"{URL}/2", "is_active": False, "description": None})).json()

    assert described | {"updated_at": 0} == before | {"description": "Theirs", "version": 2, "updated_at": 0}
    assert (kinds.json()["kinds"], kinds.headers["etag"]) == (["user.deleted"], '"3"')
    assert (moved["url"], moved["is_active"], moved["description"], moved["version"]) == (f"{URL}/2", False, None, 4)
    assert (await calls.get(url)).json() == moved


@pytest.mark.parametrize("patch", [{}, {"url": URL, "kinds": ["user.updated", "user.updated"], "is_active": True}])
async def test_a_patch_that_changes_nothing_leaves_no_trace(
    app: Litestar, calls: httpx.AsyncClient, patch: JSONObject
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    before = await calls.get(url)

    response = await calls.patch(url, json=patch)

    assert (response.status_code, response.json()) == (200, before.json())
    assert await audited(app, "webhook.updated") == []


async def test_rotation_gives_a_new_secret(app: Litestar, calls: httpx.AsyncClient) -> None:
    made = await make_webhook(calls)
    url = f"{WEBHOOKS}/{made['id']}/rotate-secret"

    rotated = await calls.post(url)
    again = await calls.post(url)

    assert (rotated.status_code, rotated.headers["etag"], rotated.headers["cache-control"]) == (200, '"2"', "no-store")
    assert len({made["secret"], rotated.json()["secret"], again.json()["secret"]}) == 3
    assert rotated.json()["former_secret_expires_at"] > utc_now().isoformat()
    assert len(await audited(app, "webhook.secret_rotated")) == 2


async def test_versions_are_respected(calls: httpx.AsyncClient) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    stale, current = {"If-Match": '"7"'}, {"If-Match": '"1"'}

    assert is_refused(await calls.patch(url, json={"description": "x"}, headers=stale), 412, "precondition_failed")
    assert is_refused(await calls.post(f"{url}/rotate-secret", headers=stale), 412, "precondition_failed")
    assert is_refused(await calls.delete(url, headers=stale), 412, "precondition_failed")
    assert (await calls.get(url, headers={"If-None-Match": '"1"'})).status_code == 304
    assert (await calls.patch(url, json={"description": "x"}, headers=current)).status_code == 200
    assert (await calls.delete(url, headers={"If-Match": '"2"'})).status_code == 204


async def test_a_deleted_webhook_is_gone_with_its_deliveries(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    await attempts.publish(about=caller)

    assert (await calls.delete(url)).status_code == 204

    assert is_refused(await calls.delete(url), 404, "not_found")
    for model in (WebhookEndpoint, WebhookSubscription, WebhookDelivery):
        assert await rows(app, model) == []


async def test_a_deleted_account_leaves_no_webhook(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    await attempts.publish(about=caller)

    assert (await calls.delete(ME)).status_code == 204

    for model in (WebhookEndpoint, WebhookSubscription, WebhookDelivery):
        assert await rows(app, model) == []


@pytest.mark.caller("superuser")
async def test_the_webhook_of_another_user_is_not_found(
    calls: httpx.AsyncClient, people: People, attempts: Attempts
) -> None:
    """Not even for a superuser, in any verb."""
    owner = await people.create()
    made = await make_webhook(calls, owner)
    (delivery,) = await attempts.publish(about=owner)
    url = f"{WEBHOOKS}/{made['id']}"

    answers = [
        await calls.get(url),
        await calls.patch(url, json={}),
        await calls.delete(url),
        await calls.post(f"{url}/rotate-secret"),
        await calls.post(f"{url}/test"),
        await calls.get(f"{url}/deliveries"),
        await calls.get(f"{url}/deliveries/{delivery}"),
        await calls.post(f"{url}/deliveries/{delivery}/retry"),
    ]

    assert all(is_refused(answer, 404, "not_found") for answer in answers)
    page = (await calls.get(WEBHOOKS)).json()
    assert (page["items"], page["total"]) == ([], 0)


async def test_a_delivery_is_only_found_below_its_own_webhook(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made, other = await make_webhook(calls), await make_webhook(calls, kinds=["user.deleted"])
    (delivery,) = await attempts.publish(about=caller)

    assert (await calls.get(f"{WEBHOOKS}/{made['id']}/deliveries/{delivery}")).status_code == 200
    for path in ("", "/retry"):
        url = f"{WEBHOOKS}/{other['id']}/deliveries/{delivery}{path}"
        assert is_refused(await (calls.post(url) if path else calls.get(url)), 404, "not_found")


async def test_a_user_has_at_most_twenty(calls: httpx.AsyncClient) -> None:
    for _ in range(18):
        await make_webhook(calls)

    answers = await asyncio.gather(*[calls.post(WEBHOOKS, json=BODY) for _ in range(6)])

    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    assert (await calls.get(WEBHOOKS)).json()["total"] == 20


async def test_what_gives_a_secret_or_moves_events_needs_a_recent_sign_in(people: People) -> None:
    person = await people.create()
    stale = await people.sign_in(person.id, person.email, at=utc_now() - timedelta(minutes=11))
    async with people.client(stale) as calls:
        url = f"{WEBHOOKS}/{(await make_webhook(calls, person))['id']}"

        assert is_refused(await calls.post(WEBHOOKS, json=BODY), 403, "reauth_required")
        assert is_refused(await calls.post(f"{url}/rotate-secret"), 403, "reauth_required")
        assert is_refused(await calls.patch(url, json={"url": f"{URL}/2"}), 403, "reauth_required")
        assert (await calls.patch(url, json={"url": URL, "is_active": False})).status_code == 200
        assert (await calls.delete(url)).status_code == 204


async def test_what_happens_to_webhooks_is_audited_without_paths_and_secrets(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    made = await make_webhook(calls, url=f"{URL}?token=hunter2")
    url = f"{WEBHOOKS}/{made['id']}"
    await calls.patch(url, json={"is_active": False})
    await calls.post(f"{url}/rotate-secret")
    await calls.delete(url)

    for kind in ("created", "updated", "secret_rotated", "deleted"):
        (event,) = await audited(app, f"webhook.{kind}")
        assert (event.actor_id, event.subject_id) == (caller.id, UUID(made["id"]))
        assert event.details["host"] == "hooks.example.com"
        assert "hunter2" not in str(event.details)
        assert "whsec" not in str(event.details)


async def test_webhooks_are_listed_newest_first_and_filtered(calls: httpx.AsyncClient) -> None:
    made = [await make_webhook(calls, is_active=i != 1) for i in range(3)]

    first = (await calls.get(WEBHOOKS, params={"page_size": 2})).json()
    rest = (await calls.get(WEBHOOKS, params={"page_size": 2, "cursor": first["next_cursor"]})).json()
    active = (await calls.get(WEBHOOKS, params={"is_active": True, "sort": "created_at"})).json()

    assert [item["id"] for item in first["items"] + rest["items"]] == [each["id"] for each in reversed(made)]
    assert [item["id"] for item in active["items"]] == [made[0]["id"], made[2]["id"]]
    assert field_errors(await calls.get(WEBHOOKS, params={"sort": "url"})) == {"sort": "invalid_choice"}
