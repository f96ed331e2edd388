"""What a domain brings into the app: one value, named in one line of ``create_app``."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from app.lib.errors import ErrorCode
from app.lib.events import Listener
from app.lib.http.problems import KIT_ERROR_CODES
from app.lib.jobs import Job
from app.lib.webhooks.kinds import WebhookKind, WebhookKinds, kinds_by_name


class Permission(msgspec.Struct, frozen=True):
    """A permission code such as ``users:read`` and a sentence about what it allows."""

    code: str
    description: str


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """The rooms of a domain that the app has to know; the rest is the domain's own business."""

    name: str
    controllers: tuple[ControllerRouterHandler, ...] = ()
    root_handlers: tuple[ControllerRouterHandler, ...] = ()
    """Handlers outside ``/api/v1``."""
    providers: Mapping[str, Provide] = {}
    """What the domain's own handlers ask for."""
    shared_providers: Mapping[str, Provide] = {}
    """What handlers and providers of any domain may ask for."""
    permissions: tuple[Permission, ...] = ()
    listeners: tuple[Listener, ...] = ()
    """In the transaction of an event, after its commit, or in every process."""
    jobs: tuple[Job[Any], ...] = ()
    webhook_kinds: tuple[WebhookKind, ...] = ()
    error_codes: tuple[ErrorCode, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    """OpenAPI tags and their descriptions."""


def collect_permissions(domains: tuple[Domain, ...]) -> dict[str, Permission]:
    """The registry of permissions by code. Raises ``ValueError`` when two domains claim one."""
    registry: dict[str, Permission] = {}
    for domain in domains:
        for permission in domain.permissions:
            if permission.code in registry:
                raise ValueError(f"permission {permission.code} is declared twice")
            registry[permission.code] = permission
    return registry


def collect_webhook_kinds(domains: tuple[Domain, ...]) -> WebhookKinds:
    """The registry of webhook kinds by name. Raises ``ValueError`` when two domains claim one."""
    return kinds_by_name(kind for domain in domains for kind in domain.webhook_kinds)


def collect_error_codes(domains: Iterable[Domain]) -> tuple[ErrorCode, ...]:
    """The codes of the kit and of all domains. Raises ``ValueError`` when two errors declare one code differently."""
    registry: dict[str, ErrorCode] = {}
    for code in (*KIT_ERROR_CODES, *(code for domain in domains for code in domain.error_codes)):
        if registry.setdefault(code.value, code) != code:
            raise ValueError(f"error code {code.value} is declared twice")
    return tuple(registry.values())
