import asyncio
import json

import httpx

from app.domain.accounts.demo import PEOPLE, SIGN_INS, SignIn
from app.domain.posts.demo import DRAFTS, SCHEDULED, TOPICS
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.support.apps import client_of, running_app
from tests.support.people import People
from tests.support.shop import product_body


async def token_of(client: httpx.AsyncClient, sign_in: SignIn) -> dict[str, str]:
    form = {"username": sign_in.email, "password": sign_in.password}
    answer = await client.post("/api/v1/auth/login", data=form)
    assert answer.status_code == 200, sign_in.kind
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def check_people(client: httpx.AsyncClient) -> None:
    statuses = {}
    for sign_in in SIGN_INS:
        bearer = await token_of(client, sign_in)
        reads = [await client.get(f"/api/v1/{path}", headers=bearer) for path in ("users", "permissions")]
        statuses[sign_in.kind] = [each.status_code for each in reads]
    assert statuses == {"superuser": [200, 200], "manager": [200, 200], "user": [403, 403]}


async def check_shop(client: httpx.AsyncClient) -> None:
    products = (await client.get("/api/v1/products")).json()["total"]
    client.headers.update(await token_of(client, SIGN_INS[0]))
    orders = (await client.get("/api/v1/orders")).json()["items"]
    assert (products, sorted(each["status"] for each in orders)) == (
        9,
        ["paid", "paid", "pending", "refunded", "shipped"],
    )
    by_status = {each["status"]: each for each in orders}
    assert by_status["shipped"]["tracking"]["carrier"] == "Example Post"
    [refund] = (await client.get(f"/api/v1/orders/{by_status['refunded']['id']}/refunds")).json()["items"]
    assert refund["reason"]
    del client.headers["Authorization"]


async def check_posts(client: httpx.AsyncClient) -> None:
    tags = (await client.get("/api/v1/tags", params={"page_size": 100})).json()["items"]
    posts = (await client.get("/api/v1/posts", params={"page_size": 100})).json()["items"]
    own = await client.get("/api/v1/posts?mine=true", headers=await token_of(client, SIGN_INS[2]))

    assert len(posts) == len(TOPICS) - DRAFTS - SCHEDULED
    assert len({post["author_id"] for post in posts}) == 7
    assert len({post["is_published"] for post in own.json()["items"]}) == 2
    assert sum(tag["posts"] for tag in tags) == 2 * len(posts)
    assert {"computing", "history"} <= {tag["name"] for tag in tags}


async def check_data(url: DatabaseURL) -> None:
    async with running_app(url) as app, client_of(app) as client:
        await check_people(client)
        await check_shop(client)
        await check_posts(client)


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
    asyncio.run(check_data(own_url))


def test_seed_creates_everything_or_nothing(at: Cli) -> None:
    """An account with the address of a demo person stands in the way; none of the others stays."""
    taken = ["users", "create", "--email", "herman@example.com", "--password-stdin"]
    assert at(*taken, stdin="correct horse battery").exit_code == 0

    needs = "Other accounts and roles have names that the demo data needs"
    advice = "Delete or rename them, or seed an empty database (DATABASE_URL)."
    assert refusal(at("seed"), 5) == f"Error: {needs}: herman@example.com. {advice}"
    assert len(json.loads(at("users", "list", "--json").stdout)) == 1

    for number, taken in enumerate((["--username", "Grace"], ["--email", "ada@example.com"])):
        create = ["users", "create", "--email", f"someone{number}@example.com", "--password-stdin", *taken]
        assert at(*create, stdin="correct horse battery").exit_code == 0
    named = "ada@example.com, grace, herman@example.com"
    assert refusal(at("seed"), 5) == f"Error: {needs}: {named}. {advice}"


def test_seed_says_which_domain_finds_its_data_taken(at: Cli, own_url: DatabaseURL) -> None:
    async def take_sku() -> None:
        async with running_app(own_url) as app:
            people = People(app)
            async with people.client(await people.create(is_superuser=True)) as boss:
                taken = await boss.post("/api/v1/products", json=product_body(sku="PEN-FINE-BK"))
                assert taken.status_code == 201

    asyncio.run(take_sku())

    assert refusal(at("seed"), 5) == (
        "Error: The demo data of catalog cannot be created: Another product has this SKU. "
        "Seed an empty database (DATABASE_URL)."
    )
    assert len(json.loads(at("users", "list", "--json").stdout)) == 1


def test_seed_is_refused_in_production(cli: Cli) -> None:
    production = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY",
        "PUBLIC_URL": "https://api.example.com",
    }

    assert "Nothing is seeded in production" in refusal(cli("seed", **production), 1)
