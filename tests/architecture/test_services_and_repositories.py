"""No public method of a service or repository skips the rules of its domain (docs/decisions/0020).

Every class of ``app.domain`` and ``app.lib`` is looked at:

1. None inherits from advanced-alchemy's services or repositories, whose methods know none of our rules. The two private
   classes behind ``EntityRepository`` do, and no other module uses them.
2. ``EntityRepository`` has exactly the verbs that are tested in ``tests/lib/db/test_repositories.py``.
3. A public method of a service is written in the services of its own domain, never inherited from elsewhere: so each
   one that can be called was written with the rules of the domain in mind.
4. A service keeps its repositories in private attributes, so that a caller of the service cannot reach past it.
5. In the domains, only repositories write or read through the session of a unit of work.
"""

import ast
import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any

import app.domain
import app.lib
from app.lib.db import repositories
from app.lib.db.repositories import EntityRepository
from tests.architecture.test_house_rules import at, python_files, tree_of

ALCHEMY = ("advanced_alchemy.service", "advanced_alchemy.repository")
BEHIND_THE_BASE = {repositories._AlchemyRepository, repositories._AlchemyService}
VERBS = {"get", "get_for_update", "create", "update", "delete"}
SETTINGS = {"not_found", "taken", "missing"}


@cache
def classes() -> list[type[Any]]:
    found = []
    for package in (app.domain, app.lib):
        for module_info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            module = importlib.import_module(module_info.name)
            members = inspect.getmembers(module, inspect.isclass)
            found += [each for _, each in members if each.__module__ == module.__name__]
    return found


def public_names(cls: type[Any]) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def test_no_class_inherits_what_advanced_alchemy_offers() -> None:
    assert len(classes()) > 300
    inheriting = {each for each in classes() if any(base.__module__.startswith(ALCHEMY) for base in each.__mro__)}
    others = inheriting - BEHIND_THE_BASE
    assert not others, f"inherit from EntityRepository of app.lib.db.repositories instead (record 20): {others}"
    assert inheriting == BEHIND_THE_BASE


def test_an_entity_repository_has_the_standard_verbs_and_no_others() -> None:
    assert public_names(EntityRepository) == VERBS | SETTINGS


def test_public_methods_of_a_service_are_written_in_its_own_domain() -> None:
    found = []
    services = [each for each in classes() if ".services" in each.__module__ and each.__name__.endswith("Service")]
    assert len(services) > 10
    for service in services:
        domain = ".".join(service.__module__.split(".")[:3])
        foreign = [base for base in service.__mro__[1:-1] if not base.__module__.startswith(f"{domain}.services")]
        found += [f"{service.__module__}.{service.__name__}: {base.__name__}" for base in foreign if public_names(base)]
    assert not found, f"write the methods in the service itself, or hold the other object in an attribute: {found}"


def test_services_keep_their_repositories_to_themselves() -> None:
    found = []
    for path in python_files("app/domain"):
        if "services" not in (path.stem, path.parent.name):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                kind = ast.unparse(node.annotation)
                if kind.endswith("Repository") and node.target.id[0] != "_":
                    found.append(at(path, node.lineno, f"call it _{node.target.id}: {kind}"))
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
                continue
            made = node.value.func
            if isinstance(made, ast.Name) and made.id.endswith("Repository"):
                targets = [each for each in node.targets if isinstance(each, ast.Attribute)]
                found += [at(path, node.lineno, f"{t.attr} = {made.id}") for t in targets if t.attr[0] != "_"]
    assert not found, "\n".join(found)


def test_only_repositories_use_the_session_of_a_unit() -> None:
    found = []
    used = {"add", "add_all", "delete", "execute", "flush", "get", "merge", "scalar", "scalars"}
    for path in python_files("app/domain"):
        if "repositories" in (path.stem, path.parent.name):
            continue
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Attribute):
                continue
            if node.attr in used and node.value.attr == "session":
                found.append(at(path, node.lineno, f"session.{node.attr}: a repository does that"))
    assert not found, "\n".join(found)
