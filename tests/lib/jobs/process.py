"""A worker in a process of its own: ``python -m tests.lib.jobs.process URL FOLDER [SECONDS]``.

Its one job writes a line to ``FOLDER/ran`` and then takes its time.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.jobs import JobContext, job, registry_of
from app.lib.jobs.execution import Executor
from app.lib.jobs.worker import Worker, WorkerOptions
from app.lib.services import Services
from tests.lib.jobs.bench import Note


@job("test.process", Note, timeout=600)
async def work(note: Note, context: JobContext) -> None:
    with (context.service(Path) / "ran").open("a") as file:
        file.write(f"{os.getpid()} {note.text}\n")
    await asyncio.sleep(float(note.text))


async def main(url: str, folder: Path, drain_seconds: float) -> None:
    database = Database(DatabaseOptions(url=DatabaseURL.parse(url), pool_size=3))
    await database.start()
    services = Services()
    services.add(folder, Path)
    executor = Executor(registry_of([work]), database, services, lambda *_: None)
    worker = Worker(database, executor, WorkerOptions(drain_seconds=drain_seconds))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await worker.start()
    await stop.wait()
    await worker.stop()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
