import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from app.core import Core
from app.lib.clock import utc_now
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.domain.jobs.toys import put
from tests.support.apps import make_core, running_app

T = TypeVar("T")

Prepare = Callable[[Callable[[Core], Awaitable[T]]], T]


@pytest.fixture
def prepare(own_url: DatabaseURL) -> Prepare[Any]:
    """Puts something into the database that the commands use."""

    def run(work: Callable[[Core], Awaitable[T]]) -> T:
        async def main() -> T:
            core = make_core(own_url)
            async with core.running():
                return await work(core)

        return asyncio.run(main())

    return run


def listed(at: Cli, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(at("jobs", "list", "--json", *options).stdout)
    return found


async def some_jobs(core: Core) -> dict[str, UUID]:
    old = utc_now() - timedelta(days=3)
    return {
        "pending": await put(core, "hello"),
        "failed": await put(
            core, status="failed", attempts=8, finished_at=old, error_kind="TimedOut", error="Not done."
        ),
        "succeeded": await put(core, status="succeeded", finished_at=old),
    }


def test_jobs_are_listed_newest_first_without_what_they_hold(at: Cli, prepare: Prepare[dict[str, UUID]]) -> None:
    ids = prepare(some_jobs)

    assert [each["id"] for each in listed(at)] == [str(ids[name]) for name in ("succeeded", "failed", "pending")]
    assert [each["status"] for each in listed(at, "--status", "failed", "--kind", "test.note")] == ["failed"]
    assert len(listed(at, "--limit", "1")) == 1
    header, *rows = at("jobs", "list").stdout.splitlines()
    assert header.split() == ["ID", "KIND", "STATUS", "ATTEMPTS", "CREATED", "RUN", "AT", "ERROR"]
    assert rows[1].split()[1:4] == ["test.note", "failed", "8"]
    assert rows[1].endswith("TimedOut")
    assert not any("hello" in row for row in rows)


def test_a_job_is_shown_with_what_it_holds(at: Cli, prepare: Prepare[dict[str, UUID]]) -> None:
    ids = prepare(some_jobs)

    assert json.loads(at("jobs", "show", str(ids["pending"]), "--json").stdout)["payload"] == {"text": "hello"}
    assert "Not done." in at("jobs", "show", str(ids["failed"])).stdout


def test_a_dead_job_runs_again(at: Cli, prepare: Prepare[dict[str, UUID]]) -> None:
    ids = prepare(some_jobs)

    assert at("jobs", "retry", str(ids["failed"])).stdout == "1 job will run again.\n"
    assert len(listed(at, "--status", "pending")) == 2
    assert "Only a failed or cancelled job" in refusal(at("jobs", "retry", str(ids["succeeded"])), 5)
    assert "no such job" in refusal(at("jobs", "retry", str(uuid4())), 5)


def test_all_failed_jobs_run_again(at: Cli, prepare: Prepare[dict[str, UUID]]) -> None:
    prepare(some_jobs)

    assert at("jobs", "retry", "--all-failed", "--kind", "test.other").stdout == "0 jobs will run again.\n"
    assert at("jobs", "retry", "--all-failed").stdout == "1 job will run again.\n"
    assert at("jobs", "retry").exit_code == 2


def test_a_job_is_cancelled(at: Cli, prepare: Prepare[dict[str, UUID]]) -> None:
    ids = prepare(some_jobs)

    assert at("jobs", "cancel", str(ids["pending"])).exit_code == 0
    assert [each["id"] for each in listed(at, "--status", "cancelled")] == [str(ids["pending"])]
    assert "Only a job that waits or runs" in refusal(at("jobs", "cancel", str(ids["succeeded"])), 5)


def test_finished_jobs_are_removed(at: Cli, prepare: Prepare[dict[str, UUID]]) -> None:
    prepare(some_jobs)

    assert at("jobs", "purge", "--older-than", "4").stdout == "0 jobs removed.\n"
    assert at("jobs", "purge", "--older-than", "2").stdout == "1 job removed.\n"
    assert {each["status"] for each in listed(at)} == {"pending", "failed"}
    assert at("jobs", "purge", "--older-than", "2", "--status", "failed").stdout == "1 job removed.\n"


@pytest.mark.parametrize("days", ["nan", "inf", "1e300", "-1"])
def test_an_age_of_jobs_is_a_number_of_days(at: Cli, days: str) -> None:
    assert "is not in the range 0<=x<=36525" in refusal(at("jobs", "purge", "--older-than", days), 2)


def test_schedules_are_listed_once_a_worker_has_been_there(at: Cli, own_url: DatabaseURL) -> None:
    async def start() -> None:
        async with running_app(own_url, JOBS_WORKER="inside"):
            await asyncio.sleep(0)

    assert json.loads(at("jobs", "schedules", "--json").stdout) == []
    asyncio.run(start())

    declared = {each.name for each in make_core(own_url).jobs.values() if each.schedule}
    assert {each["name"] for each in json.loads(at("jobs", "schedules", "--json").stdout)} == declared
    assert at("jobs", "schedules").stdout.count("never") == len(declared)
