"""What a domain brings into the app: one value, which a line of ``app/asgi.py`` names."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from litestar.types import ControllerRouterHandler, Scope

from app.lib.audit import AuditKind
from app.lib.db.gauges import DatabaseGauge
from app.lib.db.uow import UnitOfWork
from app.lib.errors import ErrorCode
from app.lib.events import Listener
from app.lib.export import Export
from app.lib.http.problems import KIT_ERROR_CODES
from app.lib.jobs import Job
from app.lib.openapi.collection import Steps
from app.lib.realtime.channels import ChannelKind
from app.lib.security.principal import Principal
from app.lib.services import Services
from app.lib.webhooks.kinds import WebhookKind


class Permission(msgspec.Struct, frozen=True):
    """A permission code such as ``users:read`` and a sentence about what it allows."""

    code: str
    description: str


class Permissions(dict[str, Permission]):
    """All permissions by code."""


class Link(msgspec.Struct, frozen=True):
    """A link of ``GET /``: a route by its ``name``, shown where the app has it. ``title`` is translated by the catalogs
    next to the mails' templates.
    """

    route: str
    title: str
    parameters: dict[str, str] = {}
    """Of the route's path."""
    may_open: Callable[[Scope], bool] | None = None
    """Whether the visitor of a request may, where the route does not answer to all."""


class Demo(msgspec.Struct, kw_only=True):
    """Demo data as it is made, domain by domain, in one unit of work.

    ``people`` are its users by email address, ``ids`` those of other things by a name that later domains know.

    What is in ``afterwards`` is called after the commit, because no other service is called inside a transaction.
    """

    services: Services
    unit: UnitOfWork
    people: dict[str, Principal] = {}
    ids: dict[str, UUID] = {}
    afterwards: list[Callable[[], Awaitable[object]]] = []


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is a domain's own. Only ``name`` is required; a domain has the rooms that it needs."""

    name: str
    settings: type[Any] | None = None
    """A ``Section`` of settings."""
    build: Callable[[Any], None] | None = None
    """``build(core)`` is called once per process and adds the domain's long-lived objects to ``core.services``."""
    controllers: tuple[ControllerRouterHandler, ...] = ()
    """Route handlers under ``/api/v1``."""
    root_handlers: tuple[ControllerRouterHandler, ...] = ()
    """Route handlers outside ``/api/v1``."""
    development_handlers: Callable[[], Iterable[ControllerRouterHandler]] | None = None
    """Makes route handlers outside ``/api/v1`` that are there with ``ENVIRONMENT=development`` only."""
    permissions: tuple[Permission, ...] = ()
    audit_kinds: tuple[AuditKind, ...] = ()
    error_codes: tuple[ErrorCode, ...] = ()
    listeners: tuple[Listener, ...] = ()
    jobs: tuple[Job[Any], ...] = ()
    exports: tuple[Export, ...] = ()
    """What is held on a user, for ``GET /users/me/export``."""
    webhook_kinds: tuple[WebhookKind, ...] = ()
    gauges: tuple[DatabaseGauge, ...] = ()
    """Metrics of what is in the database."""
    channel_kinds: tuple[ChannelKind, ...] = ()
    mail_templates: tuple[Path, ...] = ()
    """Folders of mail templates and their translations."""
    tags: tuple[tuple[str, str], ...] = ()
    """OpenAPI tags and their descriptions."""
    tag_group: str = ""
    """Where documentation pages show these tags, such as ``Account``."""
    notes: tuple[str, ...] = ()
    """Sentences for the head of the OpenAPI document."""
    links: tuple[Link, ...] = ()
    """What ``GET /`` leads to."""
    steps: Steps = Steps()
    """How its requests follow each other in ``docs/api.http``."""
    demo: str | None = None
    """``module:function`` of an ``async def seed(demo: Demo) -> None`` for ``app seed``."""


def collect_permissions(domains: Iterable[Domain]) -> Permissions:
    """The permissions of all domains. Raises ``ValueError`` when two domains declare one code."""
    registry = Permissions()
    for domain in domains:
        for permission in domain.permissions:
            if permission.code in registry:
                raise ValueError(f"permission {permission.code} is declared twice")
            registry[permission.code] = permission
    return registry


def collect_error_codes(domains: Iterable[Domain]) -> tuple[ErrorCode, ...]:
    """The codes of the kit and of all domains. Raises ``ValueError`` when two errors declare one code differently."""
    registry: dict[str, ErrorCode] = {}
    for code in (*KIT_ERROR_CODES, *(code for domain in domains for code in domain.error_codes)):
        if registry.setdefault(code.value, code) != code:
            raise ValueError(f"error code {code.value} is declared twice")
    return tuple(registry.values())
