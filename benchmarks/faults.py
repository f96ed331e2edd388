"""Seconds until a request is refused while PostgreSQL is away, next to what is promised: ``just bench-one faults``.

Tests show that each is refused, and wait as long as a busy machine may need.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import text, update

from app.domain.accounts.models import User
from app.lib.db.url import DatabaseURL
from tests.faults.conftest import Service, service_on
from tests.support.databases import migrate, postgresql_database, postgresql_server
from tests.support.proxy import Proxy

Call = Callable[[Service], Awaitable[object]]

CALLS: dict[str, Call] = {
    "read": Service.read,
    "write": Service.write,
    "sign in": Service.sign_in,
    "register": Service.register,
    "refresh": Service.refresh,
}


def main() -> None:
    with postgresql_server() as server:
        for part in (_while_it_is_away, _while_the_pool_is_full, _while_a_row_is_locked):
            with postgresql_database(server) as url:
                migrate(url)
                asyncio.run(part(url))


async def _while_it_is_away(url: DatabaseURL) -> None:
    async with Proxy(url.url) as proxy, service_on(proxy.url) as service:
        await proxy.cut()
        for name, call in CALLS.items():
            await _report(f"connections refused: {name}", 3, call(service))
        await proxy.restore()
        await asyncio.gather(service.read(), service.write(), service.read(), service.write())
        proxy.hush()
        await _report("black hole: readiness", 6, service.readiness())
        await _report("black hole: all at once", 12, *(call(service) for call in CALLS.values()))
        await proxy.restore()
        await _report("restored: all at once", 4, *(call(service) for call in CALLS.values()))


async def _while_the_pool_is_full(url: DatabaseURL) -> None:
    async with service_on(url, DATABASE_POOL_SIZE="1") as service, service.core.database.independent() as holder:
        await holder.session.execute(text("SELECT 1"))
        await _report("full pool: five writes", 9, *(service.write() for _ in range(5)))


async def _while_a_row_is_locked(url: DatabaseURL) -> None:
    async with service_on(url) as service, service.core.database.independent() as holder:
        await holder.session.execute(update(User).values(locale="de"))
        await _report("locked row: write", 5, service.write())
        await holder.rollback()


async def _report(name: str, promised: float, *calls: Awaitable[object]) -> None:
    started = time.perf_counter()
    await asyncio.gather(*calls)
    print(f"{name:<32} {time.perf_counter() - started:>6.2f} s   promised {promised:g} s", flush=True)


if __name__ == "__main__":
    main()
