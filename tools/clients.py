"""Makes the clients from the OpenAPI document, checks their types, and runs them on the service: `just clients`."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tools import node, packages

DOCUMENT = node.ROOT / "docs/openapi.json"
TYPESCRIPT = node.ROOT / "clients/typescript"
PYTHON = node.ROOT / "clients/python"
HEADER = "Made from docs/openapi.json by `just clients`: the operations that take an Idempotency-Key."
PATIENCE = 60


def main() -> None:
    generate_typescript()
    generate_python()
    run("tsc", "-p", "tsconfig.build.json", folder=TYPESCRIPT)
    packages.check(TYPESCRIPT, PYTHON)
    with service() as url:
        sample = write_sample("ts", TYPESCRIPT / "tests/generated/sample.ts", url)
        run("tsc", folder=TYPESCRIPT)
        run("node", "tests/live.ts", url, folder=TYPESCRIPT)
        run("node", sample, folder=TYPESCRIPT)
        sample = write_sample("python", PYTHON / "tests/generated/sample.py", url)
        run("mypy", "--cache-dir", str(node.ROOT / ".mypy_cache/clients"), folder=PYTHON)
        run("pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests", folder=PYTHON, LODESTAR_URL=url)
        run("python", sample, folder=PYTHON)


def generate_typescript() -> None:
    node.install(TYPESCRIPT)
    generated = TYPESCRIPT / "src/generated"
    generated.mkdir(exist_ok=True)
    listed = json.dumps(idempotent(), indent=2)
    (generated / "idempotent.ts").write_text(
        f"// {HEADER}\nexport const IDEMPOTENT: ReadonlySet<string> = new Set({listed});\n"
    )
    # A member with a default may be left out of a body.
    options = ["--default-non-nullable", "false", "--output", "src/generated/schema.ts"]
    run("openapi-typescript", str(DOCUMENT), *options, folder=TYPESCRIPT)


def generate_python() -> None:
    package = PYTHON / "lodestar_client/generated"
    options = [
        "--config",
        "generator.yaml",
        "--custom-template-path",
        "templates",
        "--meta",
        "none",
        "--overwrite",
        "--output-path",
        str(package),
    ]
    run("openapi-python-client", "generate", "--path", str(DOCUMENT), *options, folder=PYTHON)
    (package / "idempotent.py").write_text(f'"""{HEADER}"""\n\nIDEMPOTENT = {json.dumps(idempotent(), indent=4)}\n')


def idempotent() -> list[str]:
    """The paths to which a POST can be repeated with a key."""
    return [
        path
        for path, item in json.loads(DOCUMENT.read_text())["paths"].items()
        if any(each["name"] == "Idempotency-Key" for each in item.get("post", {}).get("parameters", []))
    ]


def write_sample(language: str, path: Path, url: str) -> str:
    """The sample of docs/clients.md in a language, with the address of this service."""
    text = (node.ROOT / "docs/clients.md").read_text().partition(f"```{language}\n")[2].partition("```")[0]
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace("https://api.example.com", url))
    return str(path)


def run(*command: str, folder: Path, **variables: str) -> None:
    print("--", *command[:3], flush=True)
    environ = {**node.environ(TYPESCRIPT), "PYTHONPATH": str(PYTHON), **variables}
    if subprocess.run(command, cwd=folder, env=environ, check=False).returncode:  # noqa: S603 - our own words
        sys.exit(f"failed: {' '.join(command)}")


@contextmanager
def service() -> Iterator[str]:
    """The service on an empty SQLite file and a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="clients-") as folder, open(f"{folder}/log", "w+") as log:  # noqa: PTH123 - short
        environ = {**os.environ, "DATABASE_URL": f"sqlite:///{folder}/app.db", "PUBLIC_URL": url}
        app = Path(sys.executable).with_name("app")
        process = subprocess.Popen([app, "serve", "--port", str(port)], env=environ, stdout=log, stderr=log)  # noqa: S603 - our own words
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            urlopen(f"{url}/health/ready")  # noqa: S310 - our own address
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("the service did not start")


if __name__ == "__main__":
    main()
