"""Whether the time of an answer gives away that an account exists: ``just bench-one secrecy``.

Pairs of requests, one about an account and one about none, in turns and in random order within a pair: what else the
machine does meets both alike. The figure is a Mann-Whitney test (two-sided, normal approximation): a small p says
that the two differ. ``AUC`` is the chance that a request about an account takes longer than one about none; an attacker
with one measurement is right that often, and 0.5 is guessing.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from math import sqrt
from statistics import NormalDist, median

import httpx

from app.domain.accounts.services.passwords import Passwords
from app.lib.db.url import DatabaseURL
from app.lib.security.passwords import PasswordHasher
from tests.support.apps import client_of, core_of, running_app
from tests.support.databases import migrate, postgresql_database, postgresql_server
from tests.support.people import PASSWORD, People

API = "/api/v1/auth"
Ask = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]
ASKS: dict[str, Ask] = {
    "sign-in": lambda client, email: client.post(f"{API}/login", json={"username": email, "password": "a wrong one"}),
    "forgot": lambda client, email: client.post(f"{API}/forgot-password", json={"email": email}),
    "send_code": lambda client, email: client.post(f"{API}/verify-email/send-code", json={"email": email}),
    "registration": lambda client, email: client.post(f"{API}/register", json={"email": email, "password": PASSWORD}),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.secrecy", description=__doc__)
    parser.add_argument("--pairs", type=int, default=500)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        url = DatabaseURL.parse(f"sqlite:///{folder}/bench.db")
        migrate(url)
        asyncio.run(_measure("SQLite", url, pairs))
    with postgresql_server() as server, postgresql_database(server) as url:
        migrate(url)
        asyncio.run(_measure("PostgreSQL", url, pairs))


async def _measure(name: str, url: DatabaseURL, pairs: int) -> None:
    settings = {"RATE_LIMIT_ENABLED": "false", "REQUIRE_VERIFIED_EMAIL": "true"}
    async with running_app(url, **settings) as app, client_of(app) as client:
        hasher = core_of(app).services.get(Passwords).hasher = PasswordHasher()  # with the cost that users have
        people, password_hash = People(app), await hasher.hash(PASSWORD)
        known = [(await people.create(password_hash=password_hash)).email for _ in range(pairs)]
        for kind, ask in ASKS.items():
            unknown = [f"{kind}{number}@example.org" for number in range(pairs)]
            for number in range(5):  # what is made once is made now
                await ask(client, f"warm{number}-{kind}@example.net")
            times: dict[bool, list[float]] = {True: [], False: []}
            for each in zip(known, unknown, strict=True):
                for is_known in random.sample((True, False), 2):
                    started = time.perf_counter()
                    response = await ask(client, each[0] if is_known else each[1])
                    times[is_known].append(time.perf_counter() - started)
                    assert response.status_code in {202, 401}, response.text
            _report(f"{name}: {kind}", times[True], times[False])


def _report(name: str, known: list[float], unknown: list[float]) -> None:
    auc, p = mann_whitney(known, unknown)
    print(
        f"{name:<26} {len(known)} pairs: median {median(known) * 1000:>7.2f} ms with an account, "
        f"{median(unknown) * 1000:>7.2f} ms without; AUC {auc:.3f}, p {p:.2f}",
        flush=True,
    )


def mann_whitney(first: list[float], second: list[float]) -> tuple[float, float]:
    """The share of pairs in which the first is larger, and the p-value that both come from the same distribution."""
    ranked = sorted([(value, True) for value in first] + [(value, False) for value in second])
    ranks = sum(rank for rank, (_, is_first) in enumerate(ranked, 1) if is_first)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    z = (u - n * m / 2) / sqrt(n * m * (n + m + 1) / 12)
    return u / (n * m), 2 * NormalDist().cdf(-abs(z))


if __name__ == "__main__":
    main()
