"""The rows of the benchmark: what is asked, who is asked, and what the service must reach next to each peer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.load import Plan, Request
from benchmarks.server import ALCHEMY, BARE, FASTAPI, FASTIFY, OURS, SQLITE
from benchmarks.world import World

PEERS = (BARE, FASTIFY, ALCHEMY, FASTAPI)
BY_PAGE = (ALCHEMY, FASTAPI)
"""Those that skip rows by OFFSET, and count all of them."""
TWENTY = "page_size=20&include_total=false"


@dataclass(frozen=True)
class Row:
    """``goals`` are the processor times of peers as a multiple of ours, at the least.

    Rows ``by_size`` become dearer with the data for some, so that a run with little data says nothing about them.
    """

    name: str
    plans: Callable[[World, str], Sequence[Plan]]
    peers: Sequence[str] = PEERS
    goals: dict[str, float] = field(default_factory=dict)
    status: int = 200
    by_size: bool = False


def _me(world: World, _server: str) -> Sequence[Plan]:
    return world.plans(world.customers[0], ["/users/me"])


def _root(path: str) -> Callable[[World, str], Sequence[Plan]]:
    return lambda world, _server: world.plans(world.root, [path])


def _any_user(world: World, _server: str) -> Sequence[Plan]:
    return world.plans(world.root, [f"/users/{each}" for each in world.user_ids])


def _deep(world: World, server: str) -> Sequence[Plan]:
    if server in BY_PAGE:
        return world.plans(world.root, [f"/users?{TWENTY}&page={world.size.users // 20 + 1}"])
    cursor = world.cursors["signed" if server == OURS else "plain"]
    return world.plans(world.root, [f"/users?{TWENTY}&cursor={cursor}"])


def _anonymous(path: str) -> Callable[[World, str], Sequence[Plan]]:
    return lambda world, _server: world.plans(None, [path])


def _any_post(world: World, _server: str) -> Sequence[Plan]:
    return world.plans(None, [f"/posts/{each}" for each in world.slugs])


def _hot_post(world: World, _server: str) -> Sequence[Plan]:
    return world.plans(None, [f"/posts/{world.slugs[0]}"])


def _unchanged_post(world: World, server: str) -> Sequence[Plan]:
    known = {"if-none-match": world.etag if server == OURS else '"1"'}
    return world.plans(None, [f"/posts/{world.slugs[0]}"], **known)


def _products(world: World, _server: str) -> Sequence[Plan]:
    return world.plans(world.customers[0], [f"/products?{TWENTY}"])


ME = "the current user"
FIRST_PAGE, DEEP_PAGE = "20 newest users, without total", "20 users after all that were seeded"
POSTS, PRODUCTS = "20 newest posts", "20 newest products"
MISSING, HEALTH = "nothing here (404)", "/health"
HOT_ORDER = "place an order, one hot product"

ROWS = (
    Row(ME, _me, (*PEERS, SQLITE), {FASTAPI: 8, BARE: 0.65}),
    Row("a user by id, of thousands", _any_user, (*PEERS, SQLITE), {FASTAPI: 8, BARE: 0.65}),
    Row("20 newest users, with total", _root("/users?page_size=20"), goals={FASTAPI: 8}, by_size=True),
    Row(FIRST_PAGE, _root(f"/users?{TWENTY}"), (*PEERS, SQLITE), {BARE: 0.5}),
    Row(DEEP_PAGE, _deep, by_size=True),
    Row("a published post, of thousands", _any_post, goals={FASTIFY: 1}),
    Row("a published post, the same again", _hot_post, goals={FASTIFY: 1}),
    Row("a published post, unchanged (304)", _unchanged_post, goals={FASTIFY: 1}, status=304),
    Row(POSTS, _anonymous(f"/posts?{TWENTY}")),
    Row(PRODUCTS, _anonymous(f"/products?{TWENTY}"), (*PEERS, SQLITE)),
    Row("20 newest products, signed in", _products),
    Row(MISSING, _anonymous("/nothing-here"), status=404),
    Row(HEALTH, lambda _world, _server: [Plan([Request("/health")])]),
    Row("create a post", lambda world, _: world.new_posts(), (BARE,), {BARE: 0.35}, status=201),
    Row("place an order, 200 products", lambda world, _: world.orders(200), (BARE,), {BARE: 0.35}, status=201),
    Row(HOT_ORDER, lambda world, _: world.orders(1), (BARE,), {BARE: 0.35}, status=201),
)
