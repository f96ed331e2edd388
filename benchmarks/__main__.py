"""The service next to its peers, on the same PostgreSQL: ``just bench --help``; docs/performance.md explains it."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import load, report
from benchmarks.facts import facts_of
from benchmarks.machine import Machine
from benchmarks.measure import Site, check, measure
from benchmarks.report import Process, Report
from benchmarks.rows import PEERS, ROWS
from benchmarks.server import COMMANDS, OURS, SQLITE, serving
from benchmarks.world import Size, build, find_cursor_and_etag
from tests.support.databases import migrate, postgresql_database, postgresql_server, sqlite_database

FULL, SMALL = Size(100_000, 1_000_000, 10_000), Size(2_000, 2_000, 500)


def main() -> int:
    arguments = _arguments()
    rows = [row for row in ROWS if arguments.only in row.name and not (arguments.check and row.by_size)]
    load.install()
    machine = Machine()
    with _site(arguments) as site:
        for row in rows:
            check(site, row)
        result = Report(machine.facts, arguments.size, measure(site, rows, arguments.rounds))
        if not arguments.check and rows == list(ROWS):
            result.servers = {
                name: Process(round(each.ready_seconds, 2), round(each.worker_mib()))
                for name, each in site.servers.items()
            }
            result.facts = facts_of(site, result.rows)
    result.busy = machine.busy(result.rows)
    print(report.text(result))
    if arguments.json:
        arguments.json.write_bytes(report.encoded(result))
    if arguments.check:
        return report.compare(result)
    if arguments.size == FULL and rows == list(ROWS) and set(arguments.peers) == set(PEERS):
        report.publish(result)
    return 0


@contextmanager
def _site(arguments: argparse.Namespace) -> Iterator[Site]:
    """All servers at once: one that is not asked does nothing that can be measured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lodestar-bench-")))
        url = stack.enter_context(postgresql_database(stack.enter_context(postgresql_server())))
        file = stack.enter_context(sqlite_database())
        print("# making the data", flush=True)
        for each in (url, file):
            migrate(each)
        size = arguments.size
        world = asyncio.run(build(url, size, folder))
        worlds = dict.fromkeys(COMMANDS, world)
        worlds[SQLITE] = asyncio.run(build(file, Size(size.users, 0, size.products), folder))
        servers = {
            name: stack.enter_context(
                serving(
                    COMMANDS[name],
                    worlds[name].environ | {"JOBS_WORKER": arguments.jobs},
                    ready="/health/ready" if name in {OURS, SQLITE} else "/health",
                )
            )
            for name in (OURS, SQLITE, *arguments.peers)
        }
        find_cursor_and_etag(world, servers[OURS].port)
        yield Site(servers, worlds, arguments.connections, arguments.seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only rows that little data will do for; fails where slower"
    )
    parser.add_argument("--small", action="store_true", help="little data; nothing is written to docs/")
    parser.add_argument("--only", default="", help="part of the name of the rows to measure")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", choices=("inside", "off"), default="off", help="whether our worker runs jobs, too")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    arguments = parser.parse_args()
    arguments.size = SMALL if arguments.small or arguments.check else FULL
    return arguments


if __name__ == "__main__":
    sys.exit(main())
