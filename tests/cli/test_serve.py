"""`app serve` as people run it: a real process, a real database, real signals."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.cli import startup
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal, text_of
from tests.support.processes import NO_TLS, PATIENCE, Server, app_command, command_path, free_port, until_gone
from tests.support.terminal import Terminal

Serve = Callable[..., Server]

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY",
    "PUBLIC_URL": "https://api.example.com",
}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts the service in an empty folder, on a free port; a ``fresh`` one as a shell does, without a fork."""
    with ExitStack() as stack:

        def start(*options: str, fresh: bool = False, **environ: str) -> Server:
            port = free_port()
            command = [*([sys.executable] if fresh else []), *app_command("serve", *options)]
            settings = {"PORT": str(port), "TMPDIR": str(tmp_path), **environ}
            return stack.enter_context(Server(command, tmp_path, port, settings))

        yield start


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        app_command(*arguments),
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_a_first_start_makes_what_it_needs_and_says_where_everything_is(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.until_it_answers("/health/ready")

    base = f"http://127.0.0.1:{server.port}"
    hint = "There is no superuser yet: 'app users create-superuser --email you@example.com' makes one."
    assert server.errors.splitlines() == [
        f"API     {base}/api/v1",
        f"Docs    {base}/docs",
        f"Health  {base}/health",
        f"Mail    {base}/dev/mail",
        hint,
        "Press Ctrl-C to stop.",
    ]
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600
    workers = server.workers()
    assert len(workers) == 1

    assert server.end(signal.SIGINT) == 0

    until_gone(workers)
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert made - {"server.out", "server.err"} == {"data/lodestar.db", "data/secret_key"}
    assert len(server.errors.splitlines()) == 6


def test_the_second_start_knows_what_the_first_made_and_announces_its_end(
    serve: Serve, cli: Cli, tmp_path: Path
) -> None:
    assert cli("db", "upgrade").exit_code == 0
    command = ["users", "create-superuser", "--email", "root@example.com", "--password-stdin"]
    assert cli(*command, stdin="correct horse battery").exit_code == 0
    secret = (tmp_path / "data" / "secret_key").read_text()

    server = serve(SHUTDOWN_DELAY="5")
    server.until_it_answers("/health/ready")

    assert "superuser" not in server.errors
    assert (tmp_path / "data" / "secret_key").read_text() == secret

    server.tell(signal.SIGTERM)

    server.until(lambda: server.get("/health/ready").status_code == 503)
    assert server.get("/health").is_success
    assert server.process.wait(PATIENCE) == 0


def test_a_listener_for_both_families_knows_clients_of_ipv4_by_their_address(serve: Serve) -> None:
    server = serve("--host", "::", ENVIRONMENT="test", TRUSTED_PROXIES="127.0.0.2", LOG_FORMAT="json")
    server.until_it_answers("/health/ready")

    server.get("/health/live", **{"X-Forwarded-For": "203.0.113.9"})

    assert '"client":"127.0.0.1"' in server.errors + server.output
    assert "::ffff:" not in server.errors + server.output


@pytest.mark.parametrize("empty_url", ["sqlite", "postgresql"], indirect=True)
def test_several_workers_are_counted_together_and_none_outlives_the_service(
    serve: Serve, tmp_path: Path, empty_url: DatabaseURL
) -> None:
    """On SQLite the service is killed, on PostgreSQL it ends as it should."""
    token = "only-for-the-scrape-0123456789-0123456789"
    server = serve("--workers", "2", DATABASE_URL=text_of(empty_url), METRICS_TOKEN=token)
    server.until_it_answers("/health/ready")
    server.until(lambda: len(server.workers()) == 2)
    workers = server.workers()
    before = _counted(server, token)

    for _ in range(20):
        assert server.get("/health").is_success

    assert _counted(server, token) - before == 20
    server.until(lambda: _pids(server, token) == workers)
    [folder] = tmp_path.glob("lodestar-metrics-*")
    assert folder.stat().st_mode & 0o077 == 0
    if empty_url.is_sqlite:
        server.end(signal.SIGKILL)
    else:
        assert server.end() == 0
        assert not folder.exists()
    until_gone(workers)


def _pids(server: Server, token: str) -> set[int]:
    """The workers whose metrics a scrape has; those of one that is gone are gone, too."""
    scrape = server.get("/metrics", Authorization=f"Bearer {token}").text
    by_metric = [
        {int(pid) for pid in re.findall(rf'^{metric}{{.*?pid="(\d+)"', scrape, re.MULTILINE)}
        for metric in ("process_resident_memory_bytes", "database_pool_size", "realtime_sockets")
    ]
    assert by_metric[0] == by_metric[1] == by_metric[2]
    return by_metric[0]


def _counted(server: Server, token: str) -> float:
    scrape = server.get("/metrics", Authorization=f"Bearer {token}").text
    series = 'http_requests_total{method="GET",route="/health",status="200"}'
    return sum(float(line.split()[-1]) for line in scrape.splitlines() if line.startswith(series))


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("data/secret_key", signal.SIGTERM),
        ("data/lodestar.db", signal.SIGINT),
        ("Ctrl-C", signal.SIGTERM),
    ],
)
def test_a_start_can_be_interrupted(serve: Serve, moment: str, number: signal.Signals) -> None:
    """While the app is being imported, while the database is migrated, while the workers are started."""
    server = serve(fresh=True)
    server.until(lambda: (server.folder / moment).exists() or moment in server.errors)

    assert server.end(number) == 0
    assert "Traceback" not in server.errors
    assert server.workers() == set()


def test_settings_are_read_again_after_a_hangup(serve: Serve, tmp_path: Path) -> None:
    env_file, secret = tmp_path / ".env", tmp_path / "name"
    env_file.write_text("PRODUCT_NAME_FILE=name\n")
    secret.write_text("Before\n")
    server = serve("--workers", "2", fresh=True)
    server.until(lambda: server.answers("/docs/openapi.json", '"Before"'))

    secret.write_text("After\n")
    for wrong, said in {"LOG_LEVEL=loud": "LOG_LEVEL: ", "HOST=127.0.0.2": "HOST, PORT, WORKERS: "}.items():
        env_file.write_text(f"PRODUCT_NAME_FILE=name\n{wrong}\n")
        failed = server.output.count('"reload.failed"')
        server.tell(signal.SIGHUP)
        server.until(partial(lambda before: server.output.count('"reload.failed"') > before, failed))
        assert said in server.errors
    assert server.answers("/docs/openapi.json", '"Before"')

    env_file.write_text("PRODUCT_NAME_FILE=name\n")
    server.tell(signal.SIGHUP)
    server.until(lambda: '"reload.done"' in server.output)
    server.until(lambda: server.answers("/docs/openapi.json", '"After"'))
    server.until(lambda: len([*tmp_path.glob("lodestar-metrics-*")]) == 1)

    assert server.end() == 0
    assert [*tmp_path.glob("lodestar-metrics-*")] == []
    assert "Traceback" not in server.errors


@pytest.mark.skipif(sys.platform != "linux", reason="terminals differ")
def test_it_ends_with_its_terminal(tmp_path: Path) -> None:
    port = free_port()
    with Terminal(app_command("serve"), tmp_path, {"PORT": str(port)}) as terminal:
        terminal.until("Ctrl-C")
        with httpx.Client(verify=NO_TLS, transport=httpx.HTTPTransport(retries=10)) as client:
            assert client.get(f"http://127.0.0.1:{port}/health").is_success

        assert terminal.hang_up() == 0


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = run(tmp_path, "serve", "--port", str(port))

    assert found.returncode == 6
    assert found.stderr == (
        f"Error: 127.0.0.1:{port} is in use by another process. Choose another with --port or --host.\n"
    )


@pytest.mark.parametrize(
    ("environ", "code", "line"),
    [
        ({"WORKERS": "many"}, 3, "WORKERS: "),
        ({"ENVIRONMENT": "production", "PUBLIC_URL": "https://a.example"}, 3, "SECRET_KEY: required in production"),
        ({"DATABASE_URL": "postgresql://lodestar:hidden@127.0.0.1:1/lodestar"}, 4, "cannot be used"),
        ({"DATABASE_URL": "postgresql://app:x@hidden!@db/x"}, 3, "percent-encoded"),
        ({"HOST": "0.0.0.0"}, 3, "ENVIRONMENT: development is refused"),  # noqa: S104 - refused
        ({"MAIL_BACKEND": "smtp", "SMTP_HOST": "mail", "SMTP_CA_FILE": "/nowhere"}, 3, "SMTP_CA_FILE: "),
        ({"MAIL_BACKEND": "smtp", "SMTP_HOST": "mail", "SMTP_CA_FILE": __file__}, 3, "SMTP_CA_FILE: "),
        ({"HOST": "my host"}, 3, "HOST: expected an address"),
        (
            {"DATABASE_URL": "postgresql://h/x", "DATABASE_DIRECT_URL": "postgresql://127.0.0.1:1/x"},
            4,
            "Check DATABASE_DIRECT_URL",
        ),
        ({"JWT_PRIVATE_KEY": "nonsense"}, 3, "JWT_PRIVATE_KEY: "),
        ({"HOST": "192.0.2.1", "ENVIRONMENT": "test"}, 6, "is not an address of this machine"),
    ],
)
def test_each_obstacle_to_a_start_is_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], code: int, line: str
) -> None:
    monkeypatch.setattr(startup, "run_server", None)  # else a start that is not refused would never end

    said = refusal(cli("serve", PORT=str(free_port()), **environ), code)

    assert line in said
    assert "hidden" not in said


def test_production_migrates_only_when_set_and_logs_instead_of_talking(serve: Serve, tmp_path: Path) -> None:
    server = serve(**PRODUCTION, DOCS="off")
    server.until_it_answers("/health")

    assert server.get("/health/ready").status_code == 503
    assert "run 'app db upgrade'" in server.output
    assert "No mail is sent: set MAIL_BACKEND=smtp." in server.output
    assert '"serving"' in server.output
    assert server.errors == ""
    assert server.end() == 0


def test_production_starts_before_its_database(serve: Serve) -> None:
    server = serve(**PRODUCTION, DATABASE_URL="postgresql://lodestar:hidden@127.0.0.1:1/lodestar")
    server.until_it_answers("/health")

    assert server.get("/health/ready").status_code == 503
    assert "database.unavailable" in server.output
    assert "hidden" not in server.output
    assert server.end() == 0


def test_code_is_watched_on_request(serve: Serve) -> None:
    server = serve("--reload")
    server.until_it_answers("/health/ready")
    workers = server.workers()
    os.utime(startup.__file__)

    server.until(lambda: f'"code.changed","file":"{startup.__file__}"' in server.output)
    until_gone(workers)
    server.until_it_answers("/health/ready")
    workers = server.workers()
    assert server.end(signal.SIGINT) == 0
    until_gone(workers)
    assert "Traceback" not in server.errors


def test_granian_started_by_hand_serves_too(cli: Cli, tmp_path: Path) -> None:
    port = free_port()
    options = ["--interface", "asgi", "--factory", "--port", str(port), "--workers", "2"]
    with Server([command_path("granian"), *options, "app.asgi:create_app"], tmp_path, port, {}) as server:
        server.until_it_answers("/health")
        assert server.get("/health/ready").status_code == 503  # it is not migrated yet
        assert cli("db", "upgrade").exit_code == 0
        server.until_it_answers("/health/ready")
        workers = server.workers()
        assert len(workers) == 2

        server.end(signal.SIGKILL)

        until_gone(workers)
