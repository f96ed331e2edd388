"""What a domain makes is declared in its ``Domain``: a job that is not is never run, and an error has no page."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from litestar import Controller

import app.domain
from app.asgi import DOMAINS
from app.config import Section
from app.lib.audit import AuditKind
from app.lib.domain import Permission, collect_error_codes, collect_permissions
from app.lib.errors import AppError, ErrorCode
from app.lib.events import Listener
from app.lib.export import Export
from app.lib.jobs import Job
from app.lib.realtime.channels import ChannelKind
from app.lib.security.policies import HasPermission
from app.lib.webhooks.kinds import WebhookKind
from tests.contract.routes import APP, operations
from tests.support.listed import agree

ROOT = Path(__file__).parents[2]
KINDS: dict[str, type[Any]] = {
    "jobs": Job,
    "listeners": Listener,
    "permissions": Permission,
    "audit_kinds": AuditKind,
    "error_codes": ErrorCode,
    "exports": Export,
    "webhook_kinds": WebhookKind,
    "channel_kinds": ChannelKind,
    "settings": Section,
    "controllers": Controller,
}
"""What the fields of a ``Domain`` take: objects, or classes below these."""
PERMISSIONS = collect_permissions(DOMAINS)


@cache
def modules() -> list[ModuleType]:
    return [importlib.import_module(each.name) for each in pkgutil.walk_packages(app.domain.__path__, "app.domain.")]


def made(kind: type[Any]) -> Iterator[tuple[str, str, Any]]:
    """Where each thing of the kind is made, its name there, and the thing."""
    for module in modules():
        for number, line in enumerate(Path(str(module.__file__)).read_text().splitlines(), start=1):
            begun = re.match(r"(?:async def |def |class )?(\w+)\b(?=.*[=(:])", line)
            found = getattr(module, begun[1], None) if begun else None
            place = f"{Path(str(module.__file__)).relative_to(ROOT)}:{number}"
            for each in found if isinstance(found, tuple) else [found]:
                if isinstance(each, type) and issubclass(each, AppError) and kind is ErrorCode:
                    each = vars(each).get("code")  # noqa: PLW2901 - of the class it is the code that counts
                if begun and (isinstance(each, kind) or (isinstance(each, type) and issubclass(each, kind))):
                    yield place, begun[1], each


def declared(field: str) -> list[Any]:
    if field == "error_codes":
        return list(collect_error_codes(DOMAINS))
    if field == "controllers":
        return [
            each
            for domain in DOMAINS
            for each in (
                *domain.controllers,
                *domain.root_handlers,
                *(domain.development_handlers() if domain.development_handlers else ()),
            )
        ]
    found = [getattr(domain, field) for domain in DOMAINS]
    return [each for part in found for each in (part if isinstance(part, tuple) else [part])]


@pytest.mark.parametrize("field", KINDS)
def test_what_a_domain_makes_is_in_its_value(field: str) -> None:
    known = {id(each) for each in declared(field)}
    found = list(made(KINDS[field]))

    assert found
    assert not [
        f"{place}: add {name} to {field}= of {'/'.join(place.split('/')[:3])}/__init__.py"
        for place, name, each in found
        if id(each) not in known
    ]


def test_permissions_that_are_asked_for_are_declared() -> None:
    """Else no role can have them."""
    policies = [(f"{each.method} {each.path}", each.policy) for each in operations(APP)]
    asked = [
        (where, part) for where, each in policies if isinstance(each, HasPermission) for part in (each, each.sight)
    ]
    codes: list[tuple[str, str | None]] = [(where, part.code) for where, part in asked if part is not None]
    codes += [(f"the webhook {each.name}", each.permission) for domain in DOMAINS for each in domain.webhook_kinds]

    assert not [
        f'{where} needs {code}: add Permission("{code}", "…") to permissions= of its domain'
        for where, code in codes
        if code is not None and code not in PERMISSIONS
    ]


LISTED = ("mine",)


def test_a_list_that_lacks_something_says_where_it_is() -> None:
    agree(["mine"], LISTED, "LISTED")
    for found, says in ((["mine", "new"], "add to"), ([], "remove from")):
        with pytest.raises(
            AssertionError, match=rf"{says} LISTED in tests/architecture/test_declarations\.py:\d+: \w+"
        ):
            agree(found, LISTED, "LISTED")
