"""How messages are published over REST, edited and deleted, and who learns of it."""

from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select

from app.lib.db.base import table_of
from app.lib.db.idempotency import IdempotencyKey
from app.lib.realtime.service import Realtime
from app.lib.realtime.tables import RealtimeEvent
from tests.domain.accounts.answers import JSONObject, audited, field_errors, is_refused
from tests.domain.realtime.steps import ROOMS, Crew, channel_of, join, make_room, messages_of, private_room
from tests.support.apps import core_of
from tests.support.people import Person
from tests.support.sockets import SocketClient, connected

SECRET = "the code is 4711"


async def post(calls: httpx.AsyncClient, room: JSONObject, data: Any = SECRET, **headers: str) -> JSONObject:
    """A message, published."""
    response = await calls.post(messages_of(room), json={"data": {"text": data}}, headers=headers)
    assert response.status_code == 201, response.text
    message: JSONObject = response.json()
    return message


def url_of(room: JSONObject, message: JSONObject) -> str:
    return f"{messages_of(room)}/{message['id']}"


async def everything(app: Litestar) -> str:
    """All that the database has of messages and of responses that are replayed."""
    async with core_of(app).database.independent() as unit:
        events = (await unit.session.execute(select(table_of(RealtimeEvent)))).all()
        answers = (await unit.session.execute(select(table_of(IdempotencyKey)))).all()
    return f"{events}{answers}"


async def event_of(socket: SocketClient) -> JSONObject:
    """The next event, presence aside."""
    frame = await socket.receive()
    while frame["type"] == "presence":
        frame = await socket.receive()
    assert frame["type"] == "event"
    return frame


async def test_a_message_is_published_once_for_each_key(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    room, other = await make_room(calls), await make_room(calls, "quay")
    body, headers = {"data": {"text": "Ahoy"}, "event": "greeting"}, {"Idempotency-Key": "once"}
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room))
        first = await calls.post(messages_of(room), json=body, headers=headers)
        again = await calls.post(messages_of(room), json=body, headers=headers)
        heard = await event_of(socket)
    message = first.json()

    assert (first.status_code, first.headers["location"]) == (201, url_of(room, message))
    assert (again.json(), again.headers["idempotency-replayed"]) == (message, "true")
    assert message == {
        "id": 1,
        "event": "greeting",
        "data": {"text": "Ahoy"},
        "sender": {"id": str(caller.id), "username": None, "name": message["sender"]["name"], "avatar_url": None},
        "sent_at": heard["sent_at"],
        "edited_at": None,
        "version": 1,
    }
    assert (heard["id"], heard["data"], heard["sender_id"]) == (1, {"text": "Ahoy"}, str(caller.id))
    assert (await calls.get(url_of(room, message))).json() == message
    assert (await calls.get(messages_of(room))).json()["items"] == [message]
    reused = await calls.post(messages_of(room), json={"data": 1}, headers=headers)
    assert is_refused(reused, 422, "idempotency_key_reused")
    elsewhere = await calls.post(messages_of(other), json=body, headers=headers)
    assert (elsewhere.status_code, elsewhere.headers.get("idempotency-replayed")) == (201, None)


BAD: dict[str, tuple[bytes, Any]] = {
    "nothing": (b"{}", {"/data": "required"}),
    "a name of the service": (b'{"data":1,"event":"room.closed"}', {"/event": "invalid_choice"}),
    "no name": (b'{"data":1,"event":"A b"}', {"/event": "invalid_format"}),
    "a member that is unknown": (b'{"data":{},"sender_id":1}', {"/sender_id": "unknown_field"}),
    "too much": (b'{"data":"%s"}' % (b"x" * 4_095), {"/data": "too_long"}),
    "too deep": (b'{"data":%s}' % (b"[" * 33 + b"]" * 33), {"/data": "invalid_format"}),
    "a large integer": (b'{"data":9223372036854775808}', {"/data": "invalid_format"}),
    "a larger integer": (b'{"data":123456789012345678901234567890}', {"/data": "invalid_format"}),
    "NUL": (b'{"data":{"text":"a\\u0000b"}}', {"/data/text": "invalid_format"}),
    "a control character": (b'{"data":"\x01"}', None),
    "half a surrogate": (b'{"data":"\\ud800"}', None),
}


@pytest.mark.asvs("2.2.1")
async def test_what_sockets_do_not_take_is_not_published_either(calls: httpx.AsyncClient) -> None:
    room = await make_room(calls)
    message = await post(calls, room)
    json = {"Content-Type": "application/json"}
    for content, errors in BAD.values():
        created = await calls.post(messages_of(room), content=content, headers=json)
        assert is_refused(created, 400, "malformed_json") if errors is None else field_errors(created) == errors
        updated = await calls.patch(url_of(room, message), content=content, headers=json)
        assert updated.status_code in {400, 422} or content == b"{}"
    odd = await calls.post(messages_of(room), json={"data": {"text": "a\r\nevent: message\t\u2028b"}})

    assert odd.json()["data"] == {"text": "a\r\nevent: message\t\u2028b"}
    assert (await calls.get(url_of(room, message))).json() == message


async def test_who_listens_and_who_comes_back_learn_of_an_edit(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    room = await make_room(calls)
    message = await post(calls, room, **{"Idempotency-Key": "once"})
    url, patch = url_of(room, message), {"data": {"text": "Ahoy", "by": "hand"}}
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room))
        stale = await calls.patch(url, json=patch, headers={"If-Match": '"7"'})
        nothing = await calls.patch(url, json={"data": {"text": SECRET, "by": None}})
        edited = await calls.patch(url, json=patch, headers={"If-Match": '"1"'})
        last = (await calls.patch(url, json={"data": {"by": None}})).json()
        heard = [await event_of(socket) for _ in range(2)]
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room), since=0)
        missed = [await event_of(socket) for _ in range(3)]

    assert is_refused(stale, 412, "precondition_failed")
    assert nothing.json() == message
    assert (edited.json()["data"], edited.headers["etag"][:3]) == ({"text": "Ahoy", "by": "hand"}, '"2-')
    assert last == message | {"data": {"text": "Ahoy"}, "edited_at": last["edited_at"], "version": 3}
    assert last["edited_at"] > message["sent_at"]
    assert [(each["id"], each["event"]) for each in heard] == [(2, "room.message_updated"), (3, "room.message_updated")]
    assert heard[0]["data"] == {"message_id": 1, "data": {"text": "Ahoy", "by": "hand"}}
    assert heard[1]["sender_id"] == str(caller.id)
    assert [each["data"] for each in missed] == [{"text": "Ahoy"}, *[{"message_id": 1, "data": {"text": "Ahoy"}}] * 2]
    assert [item["data"] for item in (await calls.get(messages_of(room))).json()["items"]] == [
        each["data"] for each in reversed(missed)
    ]
    repeated = await calls.post(messages_of(room), json={"data": {"text": SECRET}}, headers={"Idempotency-Key": "once"})
    assert (repeated.json(), repeated.headers.get("etag")) == (last, None)
    assert SECRET not in await everything(app)


async def test_a_deleted_message_is_nowhere_to_be_read(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    message = await post(calls, room, **{"Idempotency-Key": "once"})
    url = url_of(room, message)
    await calls.patch(url, json={"data": {"more": SECRET}})
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room))
        assert is_refused(await calls.delete(url, headers={"If-Match": '"1"'}), 412, "precondition_failed")
        assert (await calls.delete(url)).status_code == 204
        heard = await event_of(socket)
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room), since=0)
        missed = [await event_of(socket) for _ in range(3)]
    gone = {"event": "room.message_deleted", "data": {"message_id": 1, "data": None}}

    assert heard == heard | gone | {"id": 3, "sender_id": str(caller.id)}
    assert [each | gone for each in missed] == missed
    for verb in (calls.delete(url), calls.patch(url, json={"data": 1})):
        assert is_refused(await verb, 404, "not_found")
    shown = (await calls.get(url)).json()
    repeated = await calls.post(messages_of(room), json={"data": {"text": SECRET}}, headers={"Idempotency-Key": "once"})
    assert (shown, repeated.json()) == (shown | gone, shown)
    assert SECRET not in await everything(app)
    exported = await calls.get("/api/v1/users/me/export")
    assert SECRET not in exported.text


async def test_a_key_of_a_socket_does_not_bring_a_deleted_message_back(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    room = await make_room(calls)
    frame = {"type": "publish", "channel": channel_of(room), "data": SECRET, "key": "once"}
    async with connected(app, token=caller.access_token) as socket:
        await socket.send(**frame)
        said = await socket.receive()
        assert (await calls.delete(url_of(room, said))).status_code == 204
        await socket.send(**frame)
        assert (await socket.receive())["id"] == said["id"]
    assert SECRET not in await everything(app)


@pytest.mark.asvs("8.2.2", "8.3.1")
async def test_only_its_sender_and_moderators_change_a_message(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    room = await make_room(calls)
    (sender, senders), (_, others), (staff, staffs), (_, strangers) = [
        await crew.add(permissions=permissions) for permissions in ([], [], ["rooms:write"], ["rooms:read"])
    ]
    for each in (senders, others):
        await join(each, room)
    first, second, third = [await post(senders, room, f"{number}") for number in range(3)]
    edit = {"data": {"text": "edited"}}
    by_kind: list[tuple[httpx.AsyncClient, JSONObject, int]] = [
        (others, first, 403),
        (strangers, first, 403),
        (senders, first, 200),
        (calls, second, 200),
        (staffs, third, 200),
    ]
    for who, message, status in by_kind:
        assert (await who.patch(url_of(room, message), json=edit)).status_code == status
    for who, message, status in by_kind[:2]:
        assert (await who.delete(url_of(room, message))).status_code == status
    assert [(each.actor_id, str(each.subject_id)) for each in await audited(app, "room.message_updated")] == [
        (staff.id, room["id"])
    ]
    joined = (await calls.get(messages_of(room), params={"sort": "id"})).json()["items"][0]
    for what in ({"id": joined["id"]}, {"id": 0}, {"id": 2**53}, {"id": 2**80}, {"id": 99}):  # not what someone said
        assert is_refused(await staffs.delete(url_of(room, what)), 404, "not_found")
    await senders.post(f"{ROOMS}/{room['id']}/leave")
    for refused in (await senders.patch(url_of(room, first), json=edit), await senders.delete(url_of(room, first))):
        assert is_refused(refused, 403, "permission_denied")
    await calls.post(f"{ROOMS}/{room['id']}/close")
    assert is_refused(await calls.patch(url_of(room, first), json={"data": 1}), 409, "invalid_state")
    assert is_refused(await calls.post(messages_of(room), json={"data": 1}), 409, "invalid_state")
    for who, message in ((calls, first), (staffs, second)):
        assert (await who.delete(url_of(room, message))).status_code == 204
    assert len(await audited(app, "room.message_deleted")) == 1
    _, boss = await crew.add(is_superuser=True)
    assert (await boss.post(f"/api/v1/users/{sender.id}/deactivate")).status_code == 200
    assert is_refused(await senders.delete(url_of(room, third)), 401, "invalid_token")


@pytest.mark.asvs("8.2.2")
async def test_messages_of_a_room_that_one_must_not_know_of_are_not_there(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    message = await post(calls, room)
    _, other = await crew.add()
    for method, path in [("GET", ""), ("POST", ""), ("GET", "/1"), ("PATCH", "/1"), ("DELETE", "/1")]:
        body = {"data": 1} if method in {"POST", "PATCH"} else None
        assert is_refused(await other.request(method, f"{messages_of(room)}{path}", json=body), 404, "not_found")
    elsewhere = await make_room(other)
    assert is_refused(await other.delete(url_of(elsewhere, message)), 404, "not_found")
    assert (await calls.get(url_of(room, message))).json() == message


@pytest.mark.asvs("8.2.2")
async def test_a_key_shows_no_former_member_what_became_of_their_message(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    room = await make_room(calls)
    (sender, senders), (_, staffs) = await crew.add(name="Ada"), await crew.add(is_superuser=True)
    await join(senders, room)
    once = {"Idempotency-Key": "once"}
    message = await post(senders, room, "Ahoy", **once)
    await calls.delete(f"{ROOMS}/{room['id']}/members/{sender.id}")
    again = await senders.post(messages_of(room), json={"data": {"text": "Ahoy"}}, headers=once)
    await calls.patch(url_of(room, message), json={"data": {"text": SECRET}})
    later = await senders.post(messages_of(room), json={"data": {"text": "Ahoy"}}, headers=once)

    assert again.json() == message
    assert is_refused(later, 403, "permission_denied")
    seen = await calls.get(url_of(room, message))
    same = {"If-None-Match": seen.headers["etag"]}
    assert (await calls.get(url_of(room, message), headers=same)).status_code == 304
    assert (await staffs.post(f"/api/v1/users/{sender.id}/deactivate")).status_code == 200
    assert (await calls.get(url_of(room, message), headers=same)).json()["sender"]["name"] is None
    assert (
        await calls.patch(url_of(room, message), json={"data": 1}, headers={"If-Match": same["If-None-Match"]})
    ).is_success


@pytest.mark.asvs("15.2.2")
async def test_edits_count_for_the_day_and_deletions_are_never_refused(
    app: Litestar, calls: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_of(app).services.get(Realtime).writer.quota, "_most", 2)
    room = await make_room(calls)
    message = await post(calls, room)
    assert (await calls.patch(url_of(room, message), json={"data": 1})).status_code == 200
    for refused in (
        await calls.patch(url_of(room, message), json={"data": 2}),
        await calls.post(messages_of(room), json={"data": 2}),
    ):
        assert is_refused(refused, 429, "rate_limited")
    assert (await calls.delete(url_of(room, message))).status_code == 204
