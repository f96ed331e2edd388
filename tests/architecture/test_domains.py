"""A domain is a folder that exports one value; nothing below it knows it, and one that no other needs can go."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.asgi import DOMAINS, create_app
from app.lib.db.url import DatabaseURL
from app.lib.domain import Domain
from tests.support.apps import client_of, running, settings_for
from tests.support.databases import migrate, sqlite_database

APP = Path(__file__).parents[2] / "app"
NAMES = sorted(path.name for path in (APP / "domain").iterdir() if (path / "__init__.py").exists())

ROOMS = {
    "audit", "build", "channels", "commands", "controllers", "demo", "dtos", "errors", "events", "exports", "jobs",
    "listeners", "models", "permissions", "repositories", "rows", "services", "settings", "steps", "webhooks",
}  # fmt: skip
"""Every domain uses these names, so that things are found without a search."""
OWN_ROOMS = {
    "accounts": {"reserved_usernames", "role_names"},
    "auth": {"authenticator", "oauth2"},
    "identities": {"providers"},
    "orders": {"examples", "machine"},
    "posts": {"limits", "markdown", "slugs"},
    "realtime": {"names"},
    "system": {"docs_pages", "document", "home", "problem_pages", "readiness"},
}
"""What only one domain has."""


def imports_of(path: Path) -> list[ast.ImportFrom]:
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]


def domain_of(module: str | None) -> str | None:
    found = re.match(r"app\.domain\.(\w+)", module or "")
    return found[1] if found else None


def needs(name: str) -> set[str]:
    """The other domains that a domain imports, directly or not."""
    found: set[str] = set()
    wanted = {name}
    while wanted:
        each = wanted.pop()
        modules = [node.module for path in (APP / "domain" / each).rglob("*.py") for node in imports_of(path)]
        wanted |= {other for other in map(domain_of, modules) if other} - found - {each}
        found |= wanted
    return found - {name}


@pytest.fixture
def migrated_file() -> Iterator[DatabaseURL]:
    with sqlite_database() as url:
        migrate(url)
        yield url


REMOVABLE = [name for name in NAMES if name not in {"accounts", "auth", "system", "jobs", "audit"}]


def test_the_kit_and_the_core_name_no_domain() -> None:
    files = [*(APP / "lib").rglob("*.py"), APP / "core.py", APP / "config.py"]
    named = [path for path in files if "app.domain" in path.read_text()]
    assert not named, f"they know no domain: give them what they need by build.py of the domain: {named}"


def test_the_app_imports_one_name_of_each_domain() -> None:
    found = {node.module: [alias.name for alias in node.names] for node in imports_of(APP / "asgi.py")}
    of_domains = {module: names for module, names in found.items() if domain_of(module)}

    for name in NAMES:
        assert f"app.domain.{name}" in of_domains, f"add {name} to DOMAINS in app/asgi.py, after those that it imports"
    assert of_domains == {f"app.domain.{name}": [name] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_domain_exports_one_value(name: str) -> None:
    """Its file has imports and the value, and no code."""
    exported = getattr(importlib.import_module(f"app.domain.{name}"), name)
    statements = ast.parse((APP / "domain" / name / "__init__.py").read_text()).body

    assert isinstance(exported, Domain)
    assert exported.name == name
    assert exported in DOMAINS, f"add {name} to DOMAINS in app/asgi.py, after those that it imports"
    kinds = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
    code = [f"app/domain/{name}/__init__.py:{node.lineno}" for node in statements if not isinstance(node, kinds)]
    assert not code, f"imports and the value alone stand there; the rest belongs in a module: {code}"


@pytest.mark.parametrize("name", NAMES)
def test_a_domain_uses_the_names_of_rooms(name: str) -> None:
    folder = APP / "domain" / name
    rooms = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}

    own = rooms - ROOMS - OWN_ROOMS.get(name, set()) - {"__init__"}
    here = "tests/architecture/test_domains.py"
    assert not own, f"app/domain/{name}: call {own} as in ROOMS of {here}, or add it to OWN_ROOMS there"
    gerunds = {path.stem for path in folder.rglob("*ing.py")} - {"caching"}
    assert not gerunds, f"app/domain/{name}: call {gerunds} by the verb or the noun of the business, as cancel.py"


@pytest.mark.parametrize("name", REMOVABLE)
async def test_the_app_works_without_a_domain_and_those_that_need_it(migrated_file: DatabaseURL, name: str) -> None:
    """The fast form of `just check-removal`, which also deletes the files."""
    gone = {name, *(other for other in NAMES if name in needs(other))}
    others = tuple(each for each in DOMAINS if each.name not in gone)

    async with running(create_app(settings_for(migrated_file), others)) as smaller, client_of(smaller) as client:
        answers = [await client.get(path) for path in ("/health/ready", "/docs/openapi.json", "/api/v1/users/me")]

    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert not own_paths(answers[1], name)


def own_paths(document: httpx.Response, name: str) -> list[str]:
    """The paths of the document that are under the tags of the domain."""
    tags = {tag for domain in DOMAINS if domain.name == name for tag, _ in domain.tags}
    paths = document.json()["paths"].items()
    return [path for path, item in paths for operation in item.values() if tags & set(operation.get("tags", ()))]
