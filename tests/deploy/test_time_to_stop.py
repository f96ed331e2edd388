"""Service managers wait for as long as the service and a job worker may take to end, before they kill them."""

import re
from typing import Any, get_type_hints

import pytest

from app.config import Settings
from app.lib.jobs.worker import WorkerOptions
from app.lib.serving.server import KILL_TIMEOUT
from tests.deploy.conftest import DEPLOY
from tests.deploy.test_containers import compose_text, manifests, yaml

MARGIN = 10
"""Seconds for what is no request and no job: good-byes, last writes, the supervisor."""
LONGEST_DELAY = get_type_hints(Settings, include_extras=True)["shutdown_delay"].__metadata__[0].le
"""Of `SHUTDOWN_DELAY`, which the settings of the machine may have."""
COMPOSE: dict[str, Any] = yaml.safe_load(compose_text())["services"]
MANIFESTS: dict[tuple[str, str], Any] = {(each["kind"], each["metadata"]["name"]): each for each in manifests()}


def server_seconds(delay: float) -> float:
    return delay + KILL_TIMEOUT + MARGIN


def worker_seconds() -> float:
    return WorkerOptions().drain_seconds + MARGIN


def of_unit(name: str, setting: str) -> str:
    [value] = re.findall(rf"^{setting}=(.+)$", (DEPLOY / f"systemd/{name}.service").read_text(), re.MULTILINE)
    return str(value)


@pytest.mark.parametrize("instance", ["", "@"])
def test_systemd_waits(instance: str) -> None:
    assert int(of_unit(f"lodestar{instance}", "TimeoutStopSec")) >= server_seconds(LONGEST_DELAY)
    assert int(of_unit(f"lodestar-worker{instance}", "TimeoutStopSec")) >= worker_seconds()
    assert of_unit(f"lodestar{instance}", "TimeoutStartSec") == "infinity", "no migration is cut"
    for name in ("lodestar", "lodestar-worker"):
        assert of_unit(f"{name}{instance}", "StartLimitIntervalSec") == "0", "it never gives up"
        assert of_unit(f"{name}{instance}", "Restart") == "always"


@pytest.mark.parametrize("name", ["api-1", "api-2", "worker"])
def test_compose_waits(name: str) -> None:
    service = COMPOSE[name]
    delay = float(service["environment"]["SHUTDOWN_DELAY"])

    assert int(service["stop_grace_period"].removesuffix("s")) >= (
        worker_seconds() if name == "worker" else server_seconds(delay)
    )
    assert service["restart"] == "unless-stopped"


def test_kubernetes_waits() -> None:
    delay = float(MANIFESTS["ConfigMap", "lodestar"]["data"]["SHUTDOWN_DELAY"])
    pods = {name: MANIFESTS["Deployment", name]["spec"]["template"]["spec"] for name in ("lodestar", "lodestar-worker")}

    assert pods["lodestar"]["terminationGracePeriodSeconds"] >= server_seconds(delay)
    assert pods["lodestar-worker"]["terminationGracePeriodSeconds"] >= worker_seconds()
    longest = MANIFESTS["Job", "lodestar-migration"]["spec"]["activeDeadlineSeconds"]
    assert all(MANIFESTS["Deployment", name]["spec"]["progressDeadlineSeconds"] >= longest for name in pods)
    assert not any("lifecycle" in container for pod in pods.values() for container in pod["containers"]), (
        "a preStop would take its time from the same seconds"
    )
