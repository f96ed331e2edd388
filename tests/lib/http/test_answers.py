"""The memory itself: what it keeps, what makes it forget, and how large it gets."""

from typing import Any, cast

import pytest
from litestar.types import Message, Receive, Scope, Send

from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.writes import Writes
from app.lib.errors import InvalidToken
from app.lib.http import answers
from app.lib.http.answers import PublicAnswers, public_answer
from app.lib.security.principal import Principal


class Handler:
    opt = public_answer("toys")


class SharedHandler:
    opt = public_answer("toys", unless=["toys:write"])


def principal(*permissions: str) -> Principal:
    return Principal(
        user_id=new_id(),
        session_id=new_id(),
        authenticated_at=utc_now(),
        is_superuser=False,
        permissions=frozenset(permissions),
    )


class Router:
    """Answers with what it is asked for, as often as it is asked."""

    def __init__(self) -> None:
        self.writes = Writes()
        self.asked: list[str] = []
        self.status = 200
        self.pieces = [b"an answer"]
        self.handler: Any = Handler()
        self.while_reading: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        scope["route_handler"] = self.handler
        scope["path_template"] = "/toys/{id}"
        await admit(scope, self.handler)
        if self.while_reading:
            self.writes.record(self.while_reading)
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"a", b"b")]})
        for number, piece in enumerate(self.pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(self.pieces)})


async def admit(scope: Scope, _handler: object) -> None:
    """Every bearer of the name of a permission holds it; one of "bad" is refused."""
    [token] = [value.decode() for name, value in scope["headers"] if name == b"authorization"] or [""]
    if token == "Bearer bad":
        raise InvalidToken
    scope["user"] = principal(token.removeprefix("Bearer ")) if token else None


async def ask(app: PublicAnswers, path: str = "/toys/1", method: str = "GET", **headers: str) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("no handler reads the body")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw, "state": {}}
    await app(cast("Scope", scope), receive, send)
    return sent


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
def app(router: Router) -> PublicAnswers:
    return PublicAnswers(router, router.writes, admit, seconds=3600)


async def test_the_second_answer_is_the_first_one(app: PublicAnswers, router: Router) -> None:
    first, second = await ask(app), await ask(app)

    assert first == second
    assert router.asked == ["/toys/1"]


async def test_a_client_that_has_an_answer_fills_the_memory_too(app: PublicAnswers, router: Router) -> None:
    for _ in range(2):
        await ask(app, if_none_match='"1"')

    assert router.asked == ["/toys/1"]


async def test_headers_of_the_first_are_not_shared(app: PublicAnswers) -> None:
    for _ in range(3):
        start: Any = (await ask(app))[0]
        start["headers"].append((b"x-request-id", b"mine"))
        assert start["headers"] == [(b"a", b"b"), (b"x-request-id", b"mine")]


@pytest.mark.parametrize(
    ("method", "headers"),
    [("POST", {}), ("OPTIONS", {}), ("GET", {"authorization": "Bearer x"})],
)
async def test_others_are_not_kept(app: PublicAnswers, router: Router, method: str, headers: dict[str, str]) -> None:
    for _ in range(2):
        await ask(app, method=method, **headers)

    assert len(router.asked) == 2


async def test_what_is_no_answer_is_not_kept(app: PublicAnswers, router: Router) -> None:
    for name, value in (("status", 404), ("pieces", [b"a", b"stream"]), ("pieces", [b""]), ("handler", object())):
        router.__init__()  # type: ignore[misc]  # a new one in its place
        setattr(router, name, value)
        app._writes = router.writes
        for _ in range(2):
            await ask(app, f"/toys/{name}")
        assert len(router.asked) == 2, name


async def test_callers_who_are_signed_in_share_what_is_the_same_for_all(app: PublicAnswers, router: Router) -> None:
    router.handler = SharedHandler()
    for token in ("toys:read", "", "toys:read", "toys:write", "toys:read"):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        assert len(await ask(app, **headers)) == 2
    assert len(router.asked) == 2  # the first, and the holder of the permission
    with pytest.raises(InvalidToken):
        await ask(app, authorization="Bearer bad")


async def test_what_a_holder_of_the_permission_gets_is_not_kept(app: PublicAnswers, router: Router) -> None:
    router.handler = SharedHandler()
    await ask(app, authorization="Bearer toys:write")
    await ask(app)
    assert len(router.asked) == 2


async def test_other_media_types_are_other_answers(app: PublicAnswers, router: Router) -> None:
    for accept in ("application/json", "text/html", "application/json"):
        await ask(app, accept=accept)

    assert len(router.asked) == 2


async def test_a_write_to_a_table_that_it_depends_on_ends_it(app: PublicAnswers, router: Router) -> None:
    await ask(app)
    router.writes.record(["boxes"])
    await ask(app)
    assert len(router.asked) == 1
    router.writes.record(["boxes", "toys"])
    await ask(app)
    assert len(router.asked) == 2


async def test_a_read_that_a_write_overtakes_is_not_shown_after_it(app: PublicAnswers, router: Router) -> None:
    router.while_reading = ["toys"]
    await ask(app)
    await ask(app)

    assert len(router.asked) == 2


async def test_after_its_time_it_is_made_again(router: Router) -> None:
    app = PublicAnswers(router, router.writes, admit, seconds=-1)
    for _ in range(2):
        await ask(app)

    assert len(router.asked) == 2


async def test_memory_is_bounded_and_the_oldest_goes_first(
    app: PublicAnswers, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_MAX_BYTES", 5_000)
    for number in range(20):
        await ask(app, f"/toys/{number}")
        assert app._bytes <= 5_000
    await ask(app, "/toys/19")
    assert len(router.asked) == 20
    await ask(app, "/toys/0")
    assert len(router.asked) == 21
    router.pieces = [b"x" * 300_000]
    for _ in range(2):
        await ask(app, "/toys/large")
    assert len(router.asked) == 23
