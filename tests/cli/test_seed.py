import asyncio
import json

from app.domain.accounts.demo import PEOPLE, SIGN_INS
from app.domain.posts.demo import DRAFTS, SCHEDULED, TOPICS
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.support.apps import client_of, running_app


async def may(url: DatabaseURL) -> dict[str, tuple[int, int]]:
    """What reading the users and the roles answers to each of the three."""
    found = {}
    async with running_app(url) as app, client_of(app) as client:
        for sign_in in SIGN_INS:
            form = {"username": sign_in.email, "password": sign_in.password}
            answer = await client.post("/api/v1/auth/login", data=form)
            assert answer.status_code == 200, sign_in.kind
            bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            reads = [await client.get(f"/api/v1/{path}", headers=bearer) for path in ("users", "permissions")]
            found[sign_in.kind] = (reads[0].status_code, reads[1].status_code)
    return found


async def shop(url: DatabaseURL) -> tuple[int, list[str]]:
    """How many products everybody sees, and the orders that the superuser sees, by their status."""
    async with running_app(url) as app, client_of(app) as client:
        form = {"username": SIGN_INS[0].email, "password": SIGN_INS[0].password}
        token = (await client.post("/api/v1/auth/login", data=form)).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        products = (await client.get("/api/v1/products")).json()["total"]
        orders = (await client.get("/api/v1/orders", headers=bearer)).json()["items"]
    return products, sorted(each["status"] for each in orders)


def test_demo_data_comes_once_and_its_sign_ins_work(at: Cli, own_url: DatabaseURL) -> None:
    first, second = at("seed"), at("seed")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.splitlines()[0] == "25 people and their data are created."
    assert second.stdout.splitlines()[0] == "The demo data exists already."
    assert first.stdout.splitlines()[1:] == second.stdout.splitlines()[1:]
    for sign_in in SIGN_INS:
        assert f"{sign_in.email:<18} {sign_in.password}" in first.stdout
    users = json.loads(at("users", "list", "--json").stdout)
    assert [user["email"] for user in users] == [person.email for person in PEOPLE]
    assert [user["email"] for user in users if user["is_superuser"]] == [SIGN_INS[0].email]
    assert {role for user in users for role in user["roles"]} == {"manager", "support"}
    assert sum(not user["is_active"] for user in users) == 2
    assert asyncio.run(shop(own_url)) == (9, ["paid", "paid", "pending"])
    assert asyncio.run(may(own_url)) == {"superuser": (200, 200), "manager": (200, 200), "user": (403, 403)}


async def shown(url: DatabaseURL) -> tuple[dict[str, int], int, int]:
    """The tags, how many posts the public sees, and how many people wrote them."""
    async with running_app(url) as app, client_of(app) as client:
        tags = (await client.get("/api/v1/tags", params={"page_size": 100})).json()["items"]
        posts = (await client.get("/api/v1/posts", params={"page_size": 100})).json()["items"]
        form = {"username": SIGN_INS[2].email, "password": SIGN_INS[2].password}
        token = (await client.post("/api/v1/auth/login", data=form)).json()["access_token"]
        own = await client.get("/api/v1/posts?mine=true", headers={"Authorization": f"Bearer {token}"})
        assert len({post["is_published"] for post in own.json()["items"]}) == 2
        return {tag["name"]: tag["posts"] for tag in tags}, len(posts), len({post["author_id"] for post in posts})


def test_several_people_have_written(at: Cli, own_url: DatabaseURL) -> None:
    for _ in "ab":
        assert at("seed").exit_code == 0
    tags, posts, authors = asyncio.run(shown(own_url))

    assert (posts, authors) == (len(TOPICS) - DRAFTS - SCHEDULED, 7)
    assert sum(tags.values()) == 2 * posts
    assert {"computing", "history"} <= set(tags)


def test_seed_creates_everything_or_nothing(at: Cli) -> None:
    """An account with the address of a demo person stands in the way; none of the others stays."""
    taken = ["users", "create", "--email", "herman@example.com", "--password-stdin"]
    assert at(*taken, stdin="correct horse battery").exit_code == 0

    assert refusal(at("seed"), 5) == "Error: email: Is taken."
    assert len(json.loads(at("users", "list", "--json").stdout)) == 1


def test_seed_is_refused_in_production(cli: Cli) -> None:
    production = {"ENVIRONMENT": "production", "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY"}

    assert "Nothing is seeded in production" in refusal(cli("seed", **production), 1)
