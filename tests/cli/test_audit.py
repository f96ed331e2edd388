import asyncio
import json

from sqlalchemy import text

from app.lib.audit import SYSTEM, AuditKind, declare, record
from app.lib.audit.chain import Chainer
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.support.unguarded import without_triggers

declare(AuditKind("test.ship", "For these tests."))


async def write(url: DatabaseURL, *statements: str, count: int = 0) -> None:
    """Records and chains events, then runs statements as the owner of the tables."""
    database = Database(DatabaseOptions(url=url))
    await database.start()
    async with database.independent() as unit:
        for number in range(count):
            await record(unit, "test.ship", SYSTEM, number=number)
    await Chainer(database).chain()
    async with database.engine.begin() as connection, without_triggers(connection):
        for statement in statements:
            await connection.execute(text(statement))
    await database.close()


def test_the_log_is_listed_and_verified(at: Cli, own_url: DatabaseURL) -> None:
    asyncio.run(write(own_url, count=3))

    found = json.loads(at("audit", "list", "--json", "--kind", "test.ship", "--after", "2026-01-01").stdout)
    assert [each["details"]["number"] for each in found] == [2, 1, 0]
    assert at("audit", "list").stdout.splitlines()[0].split()[:3] == ["CREATED", "KIND", "ACTOR"]
    assert at("audit", "list", "--before", "2026-01-01").stdout.count("test.ship") == 0
    verified = at("audit", "verify")
    head, summary = verified.stdout.splitlines()
    assert verified.exit_code == 0
    assert summary == "3 events in 1 segments (0 dropped), 0 wait for the chain."
    assert at("audit", "verify", "--expect", head.removeprefix("head ")).exit_code == 0
    for wrong in ("lasting", f"lasting:{2**63}:0f3c", f"lasting:{'9' * 5_000}:0f3c", "lasting:\u0663:0f3c"):
        assert "--expect is like" in refusal(at("audit", "verify", "--expect", wrong), 2)


def test_a_changed_and_a_missing_event_are_found_and_named(at: Cli, own_url: DatabaseURL) -> None:
    changes = ("UPDATE audit_events SET kind = 'sign_in.ok' WHERE seq = 2", "DELETE FROM audit_events WHERE seq = 4")
    asyncio.run(write(own_url, *changes, count=5))

    verified = at("audit", "verify")

    assert "2 findings" in refusal(verified, 1)
    assert [line.split()[:4] for line in verified.stdout.splitlines()[1:3]] == [
        ["lasting", "1", "2", "changed:"],
        ["lasting", "4", "missing"],
    ]
    report = json.loads(at("audit", "verify", "--json").stdout)
    assert [each["seq"] for each in report["findings"]] == [2, 4]
