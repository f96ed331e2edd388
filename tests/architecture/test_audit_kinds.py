"""The kinds of events in the audit log are a closed list."""

import ast

from app.asgi import DOMAINS
from app.lib.audit.kinds import KINDS
from tests.architecture.test_house_rules import at, python_files, tree_of


def test_every_kind_that_is_declared_is_one_of_a_domain() -> None:
    in_app = {name for name in KINDS if not name.startswith("test.")}
    of_domains = {kind.name for domain in DOMAINS for kind in domain.audit_kinds}

    assert of_domains <= in_app, f"make {of_domains - in_app} by declare(…) of app.lib.audit"
    assert in_app <= of_domains, f"add {in_app - of_domains} to audit_kinds= of their domain"


def test_every_kind_that_is_recorded_is_declared() -> None:
    """As far as its name stands in the call; ``record`` refuses the others when they come."""
    found = []
    for path in python_files("app"):
        for call in (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)):
            named = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if ast.unparse(call.func) in {"audit.record", "record", "self._audit"} and named:
                declare = "add declare(AuditKind(…)) to audit.py of its domain"
                found += [at(path, call.lineno, f"{name}: {declare}") for name in named if name not in KINDS]
    assert not found, "\n".join(found)
