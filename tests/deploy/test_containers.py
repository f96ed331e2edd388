"""The files for Compose and Kubernetes: their schemas, and that they name settings and commands that exist.

That they run is not shown here: neither an engine for containers nor a cluster is at hand.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from msgspec import Struct

from app.asgi import DOMAINS
from app.cli import main
from app.config import Settings
from app.lib.db.engine import PoolSizes
from app.lib.settings import described_fields, variable_name
from tests.deploy.conftest import DEPLOY

# By name, because the types are checked without the group `deploy`.
kubernetes_validate: Any = import_module("kubernetes_validate")
yaml: Any = import_module("yaml")
compose_spec: Any = import_module("compose_spec")

KUBERNETES = DEPLOY / "kubernetes"
MANIFESTS = sorted(path for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")


def compose_text() -> str:
    """With values in the place of variables, which the parser does not know."""
    text = (DEPLOY / "compose.yaml").read_text()
    text = re.sub(r"(?<!\$)\$\{RELEASE:-(\w+)\}", r"\1", text)
    return re.sub(r"(?<!\$)\$\{DOMAIN[^}]*\}", "api.example.com", text)


def test_what_compose_starts_fits_into_the_connections_of_its_database() -> None:
    compose = yaml.safe_load(compose_text())["services"]
    environ = compose["api-1"]["environment"]
    size, workers = int(environ["DATABASE_POOL_SIZE"]), int(environ["WORKERS"])
    processes = workers * len([name for name in compose if name.startswith("api-")]) + 1

    assert processes * PoolSizes.of(workers, size).total == 75
    assert str(75) in (DEPLOY / "compose.yaml").read_text()


def test_compose_takes_the_file() -> None:
    options = compose_spec.PyOptions(apply_merge=True)

    compose = options.from_yaml(compose_text())
    compose.validate()  # what services refer to is there

    assert {"database", "valkey", "migration", "api-1", "api-2", "worker", "proxy"} == {*compose.service_names()}
    with pytest.raises(ValueError, match="helthcheck"):
        options.from_yaml(compose_text().replace("healthcheck:", "helthcheck:"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_kubernetes_takes_the_manifest(path: Path) -> None:
    for manifest in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_what_the_kustomization_names_is_there() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    [image] = kustomization["images"]

    assert {*kustomization["resources"]} == {path.name for path in MANIFESTS} - {"secret.example.yaml"}
    assert {each["image"] for each in containers()} == {image["name"]}


def test_selectors_find_the_pods() -> None:
    pods = [
        each["spec"]["template"]["metadata"]["labels"] for each in manifests() if "template" in each.get("spec", {})
    ]
    selectors = [
        selector.get("matchLabels", selector)
        for each in manifests()
        if (selector := each.get("spec", {}).get("selector"))
    ]

    assert len(selectors) == 4
    assert all(selector in pods for selector in selectors)


def test_settings_and_commands_exist() -> None:
    compose = yaml.safe_load(compose_text())["services"]
    [config] = [each["data"] for each in manifests() if each["kind"] == "ConfigMap"]
    kinds: list[type[Struct]] = [Settings, *(domain.settings for domain in DOMAINS if domain.settings)]
    names = {variable_name(field.name) for kind in kinds for field in described_fields(kind)}

    assert {name.removesuffix("_FILE") for name in {**config, **compose["api-1"]["environment"]}} <= names
    commands = [each["command"] for each in (*containers(), *compose.values()) if each.get("command", [""])[0] == "app"]
    assert len(commands) == 4
    for _, *words in commands:
        parse(main, words)


def test_secrets_are_files_everywhere() -> None:
    """The URL of the database has a password. What each place hands over is what its settings read."""
    secrets = {"database_url", "metrics_token", "secret_key"}
    service = yaml.safe_load(compose_text())["services"]["api-1"]
    [config] = [each["data"] for each in manifests() if each["kind"] == "ConfigMap"]
    [secret] = [each["stringData"] for each in manifests() if each["kind"] == "Secret"]

    assert {*service["secrets"]} == {*secret} == secrets
    for settings in (service["environment"], config):
        assert {name: path.rpartition("/")[2] for name, path in settings.items() if name.endswith("_FILE")} == {
            f"{name.upper()}_FILE": name for name in secrets
        }
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = unit.read_text()
        assert {*re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE)} == secrets
        assert {*re.findall(r"(\w+)_FILE=%d/(\w+)", text)} == {(name.upper(), name) for name in secrets}


def parse(command: click.Command, words: list[str]) -> None:
    """Raises click's errors for a command or an option that is not there."""
    context = command.make_context(command.name, list(words), obj=None)
    if isinstance(command, click.Group):
        _, subcommand, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert subcommand is not None
        parse(subcommand, rest)


def manifests() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def containers() -> list[dict[str, Any]]:
    pods = [each["spec"]["template"]["spec"] for each in manifests() if "template" in each.get("spec", {})]
    return [container for pod in pods for container in pod["containers"]]
