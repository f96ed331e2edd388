"""A real Prometheus scrapes a server and a job worker: run by `just test-monitoring`, which provides it."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import NO_TLS, Server, app_command, free_port

FOLDER = Path(__file__).parents[2] / "deploy/monitoring"
LOGIN = "/api/v1/auth/login"
WITHOUT_DATA = {"Sockets closed by the service"}
"""Panels for what this service does not do here."""


@pytest.mark.parametrize(
    "command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]], ids=["check", "test"]
)
def test_the_rules_are_good_and_fire_when_they_should(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)  # noqa: S603, S607 - Debian's, and our words

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the scrape configuration of ``deploy/monitoring``, but for addresses, the file of the token and the pace."""
    folder, token = tmp_path_factory.mktemp("monitoring"), secrets.token_urlsafe(32)
    (folder / "token").write_text(token)
    (folder / "alerts.yml").write_text((FOLDER / "alerts.yml").read_text())
    ports = [free_port(), free_port(), free_port()]
    config = (FOLDER / "prometheus.yml").read_text()
    for old, new in (
        ("/etc/prometheus/lodestar_metrics_token", str(folder / "token")),
        ("127.0.0.1:8000", f"127.0.0.1:{ports[0]}"),
        ("127.0.0.1:18000", f"127.0.0.1:{ports[1]}"),
        ("15s", "1s"),
    ):
        assert old in config
        config = config.replace(old, new)
    (folder / "prometheus.yml").write_text(config)
    subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=folder, check=True, capture_output=True)  # noqa: S607 - Debian's
    environ = {
        "DATABASE_URL": f"sqlite:///{folder}/lodestar.db",
        "SECRET_KEY": secrets.token_urlsafe(32),
        "JOBS_WORKER": "external",
        "METRICS_TOKEN": token,
        "LOG_FORMAT": "json",
    }
    commands = [
        app_command("serve", "--workers", "2", "--port", str(ports[0])),
        app_command("worker", "--probe-port", str(ports[1])),
        ["prometheus", f"--web.listen-address=127.0.0.1:{ports[2]}", "--config.file=prometheus.yml"],
    ]
    homes = [folder / name for name in ("server", "worker")]
    for home in homes:
        home.mkdir()
    with (
        Server(commands[0], homes[0], ports[0], environ) as server,
        Server(commands[1], homes[1], ports[1], environ) as worker,
        Server([*commands[2], "--storage.tsdb.path=data"], folder, ports[2], dict(os.environ)) as watch,
    ):
        for each in (server, worker):
            each.until_it_answers("/health/ready")
        make_traffic(f"http://127.0.0.1:{ports[0]}")
        watch.until_it_answers("/-/ready")
        yield watch


def make_traffic(base_url: str) -> None:
    """A person registers, signs in and mistypes the password until a limit refuses; someone is lost."""
    ada = {"email": "ada@example.com", "password": secrets.token_urlsafe(18)}
    with httpx.Client(base_url=base_url, verify=NO_TLS) as client:
        client.post("/api/v1/auth/register", json={**ada, "name": "Ada"}).raise_for_status()
        client.post(LOGIN, json=ada).raise_for_status()
        assert client.get("/nowhere").status_code == 404
        while client.post(LOGIN, json={**ada, "password": "mistyped"}).status_code != 429:
            pass


def query(prometheus: Server, expression: str) -> list[Any]:
    answer = httpx.get(
        f"http://127.0.0.1:{prometheus.port}/api/v1/query", params={"query": expression}, timeout=60
    ).json()
    assert answer["status"] == "success", f"{expression}: {answer}"
    found: list[Any] = answer["data"]["result"]
    return found


def test_both_targets_are_scraped(prometheus: Server) -> None:
    prometheus.until(lambda: len(query(prometheus, 'up{job="lodestar"} == 1')) == 2)
    prometheus.until(lambda: len(query(prometheus, 'process_open_fds{role="server",pid!=""}')) == 2)

    assert len(query(prometheus, 'process_open_fds{role="worker",pid=""}')) == 1
    assert query(prometheus, "{exported_job!=''}") == query(prometheus, "{exported_instance!=''}") == []


def test_each_panel_of_the_dashboard_shows_something(prometheus: Server) -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    for panel in panels:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$job", "lodestar").replace("$__rate_interval", "5m")
            if panel["title"] in WITHOUT_DATA:
                assert query(prometheus, expression) == []
            else:
                prometheus.until(partial(query, prometheus, expression))
                found = query(prometheus, expression)
                names = {name for series in found for name in series["metric"]}
                assert set(labels_in(target["legendFormat"])) - {"pid"} <= names


def labels_in(legend: str) -> list[str]:
    return [part.partition("}}")[0] for part in legend.split("{{")[1:]]


def test_the_rules_are_loaded_and_quiet(prometheus: Server) -> None:
    def rules() -> list[Any]:
        answer = httpx.get(f"http://127.0.0.1:{prometheus.port}/api/v1/rules", timeout=60).json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    prometheus.until(lambda: all(rule["health"] != "unknown" for rule in rules()))

    assert {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"} == {}
    assert [rule["name"] for rule in rules() if rule["state"] == "firing"] == []
