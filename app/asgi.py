"""The one place where everything is wired."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from advanced_alchemy.extensions.litestar import SQLAlchemyAsyncConfig, SQLAlchemyInitPlugin
from granian.utils.proxies import wrap_asgi_with_proxy_headers
from litestar import Litestar, Request, Response, Router, get
from litestar.config.app import AppConfig
from litestar.di import Provide
from litestar.exceptions import ImproperlyConfiguredException
from litestar.plugins import InitPlugin
from litestar.types import ASGIApp

from app.background import Background
from app.components import PRODUCT, Components
from app.config import Settings, load_settings, with_secret_key
from app.domain.accounts import accounts
from app.domain.auth import auth
from app.domain.catalog import catalog
from app.domain.jobs import jobs
from app.domain.notifications import notifications
from app.domain.notifications.controllers.mailbox import mailbox_router
from app.domain.orders import orders
from app.domain.posts import posts
from app.domain.realtime import realtime
from app.domain.realtime.asyncapi import asyncapi_document
from app.domain.realtime.controllers.demo import demo_router
from app.domain.system import system
from app.domain.system.docs_pages import docs_router
from app.domain.system.readiness import Readiness
from app.domain.webhooks import webhooks
from app.lib.audit import provide_origin
from app.lib.audit.denials import DenialLog
from app.lib.db.migrations import Migrations
from app.lib.domain import Domain, collect_error_codes, collect_permissions
from app.lib.http.conditional import provide_if_match, tag_response
from app.lib.http.cors import CORS, Origins
from app.lib.http.handshake import remember_refusal
from app.lib.http.injection import resolve_in_sequence
from app.lib.http.problems import exception_handlers, send_problem
from app.lib.http.rules import RulesMiddleware, declare_rules
from app.lib.http.shell import Shell, ShellOptions
from app.lib.http.transaction import IdempotencyMiddleware, provide_unit_of_work
from app.lib.observability.logging import configure_logging
from app.lib.openapi.document import OAUTH2, DocumentInfo, build_document
from app.lib.pagination.parameters import provide_list_parameters
from app.lib.ratelimit.general import GeneralLimit
from app.lib.ratelimit.policy import Limit, NamedLimit, WhenDown
from app.lib.ratelimit.routes import ROUTE_LIMITS, undefined_limits
from app.lib.security.bearer import BearerMiddleware
from app.lib.security.policies import current_principal, declare_policies, public
from app.lib.security.principal import Principal
from app.lib.serving.draining import Draining
from app.lib.serving.processes import die_with_parent
from app.lib.wire.struct_schema import StructSchemaPlugin

API = "/api/v1"
ASYNCAPI_PATH = "/docs/asyncapi.json"
VERSION = version("lodestar")  # looked up once, because it reads files
MIGRATIONS = Path(__file__).parent.parent / "migrations"

DOMAINS: tuple[Domain, ...] = (accounts, auth, posts, catalog, orders, realtime, notifications, webhooks, jobs, system)
"""Adding a domain is one more name here."""


def create_app(settings: Settings | None = None) -> Litestar:
    """The application. Without settings they are read from the environment, as granian's workers do it.

    Raises ``ConfigurationError`` for settings that cannot be used, and refuses a route without a policy.
    """
    die_with_parent()
    settings = with_secret_key(settings or load_settings()[0])
    configure_logging(settings.effective_log_level, settings.log_format)
    draining = Draining()
    components = Components(settings, draining.wait)
    draining.before_end(components.realtime.say_goodbye)
    background = Background(components, DOMAINS)
    origins = Origins(CORS(settings.cors_origins), settings.base_url)
    app = Litestar(
        route_handlers=_routes(settings),
        dependencies=_dependencies(components, background, draining),
        middleware=[
            BearerMiddleware(components.authenticator, components.ticket_desk, origins.check),
            RulesMiddleware(),
            IdempotencyMiddleware(components.derived_key("idempotency")),
        ],
        plugins=[
            SQLAlchemyInitPlugin(
                SQLAlchemyAsyncConfig(
                    engine_instance=components.database.engine,
                    session_maker=components.database.sessions,
                    set_default_exception_handler=False,
                )
            ),
            StructSchemaPlugin(),
            _Running(partial(_running, components, background)),
        ],
        exception_handlers=exception_handlers(),
        after_request=tag_response,
        after_exception=[remember_refusal],
        lifespan=[draining.lifespan],
        request_max_body_size=settings.request_max_body_size,
        openapi_config=None,
        logging_config=None,
    )
    app.state.components = components
    app.state.background = background
    app.state.draining = draining
    app.state.authenticator = components.authenticator
    app.state.metrics_token = settings.metrics_token.reveal() if settings.metrics_token else None
    app.state[ROUTE_LIMITS] = components.route_limits
    declare_policies(app)
    declare_rules(app)
    resolve_in_sequence(app)
    if missing := undefined_limits(app):
        raise ImproperlyConfiguredException(f"rate limits that nobody defined: {sorted(missing)}")
    app.asgi_handler = _wrap(app.asgi_handler, components)
    return app


def openapi_document(app: Litestar) -> dict[str, Any]:
    """The OpenAPI document of the app, as plain JSON values."""
    return build_document(
        app,
        DocumentInfo(
            title=PRODUCT,
            version=VERSION,
            description=(
                "Accounts, posts, products, orders and more. Errors are problem details (RFC 9457). "
                f"Realtime channels have [a document of their own]({ASYNCAPI_PATH})."
            ),
            token_url=f"{API}/auth/login",
            tags=tuple(tag for domain in DOMAINS for tag in domain.tags),
            error_codes=collect_error_codes(DOMAINS),
        ),
    )


def realtime_document(settings: Settings) -> dict[str, Any]:
    """The AsyncAPI document of the app, as plain JSON values."""
    return asyncapi_document(f"{PRODUCT} realtime", VERSION, settings.base_url)


def _routes(settings: Settings) -> list[Any]:
    routes: list[Any] = [
        Router(path, route_handlers=handlers, dependencies=domain.providers)
        for domain in DOMAINS
        for path, handlers in ((API, domain.controllers), ("/", domain.root_handlers))
        if handlers
    ]
    if settings.docs == "public":
        routes += [docs_router(title=f"{PRODUCT} API", security_scheme=OAUTH2), show_openapi, show_asyncapi]
    if settings.shows_mailbox:
        routes.append(mailbox_router)
    if settings.shows_demo:
        routes.append(demo_router())
    return routes


@get("/docs/openapi.json", guards=[public], include_in_schema=False, name="openapi")
async def show_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Built at the first request, because no worker should wait for it at start."""
    state: Any = request.app.state
    document: bytes | None = state.get("openapi_document")
    if document is None:
        document = state.openapi_document = msgspec.json.encode(openapi_document(request.app))
    return _tagged(document)


@get(ASYNCAPI_PATH, guards=[public], include_in_schema=False, name="asyncapi")
async def show_asyncapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    return _tagged(msgspec.json.encode(realtime_document(request.app.state.components.settings)))


def _tagged(document: bytes) -> Response[bytes]:
    headers = {"Cache-Control": "no-cache", "ETag": f'"{hashlib.sha256(document).hexdigest()[:16]}"'}
    return Response(document, media_type="application/json", headers=headers)


def _dependencies(components: Components, background: Background, draining: Draining) -> Mapping[str, Provide]:
    history = Migrations(components.settings.database, MIGRATIONS).history
    readiness = Readiness(components.database.reader, history, draining.is_set, components.redis_check)
    singletons: dict[str, object] = {
        "settings": components.settings,
        "database": components.database,
        "reader": components.database.reader,
        "cursors": components.cursors,
        "events": background.events,
        "mail_templates": components.mail_templates,
        "mail_composer": components.mail_composer,
        "unsubscribe_links": components.unsubscribe_links,
        "passwords": components.passwords,
        "token_issuer": components.token_issuer,
        "sign_in_throttle": components.sign_in_throttle,
        "registration_throttle": components.registration_throttle,
        "error_codes": collect_error_codes(DOMAINS),
        "permission_registry": collect_permissions(DOMAINS),
        "sealer": components.sealer,
        "webhook_kinds": background.webhook_kinds,
        "payment_provider": components.payment_provider,
        "metrics": components.metrics,
        "realtime": components.realtime,
        "hub": components.realtime.hub,
        "readiness": readiness,
    }
    return {
        **{name: Provide(_constant(value), use_cache=False) for name, value in singletons.items()},
        "unit": Provide(provide_unit_of_work),
        "origin": Provide(provide_origin),
        "principal": Provide(_provide_principal),
        "if_match": Provide(provide_if_match),
        "paging": Provide(provide_list_parameters),
        **{name: provider for domain in DOMAINS for name, provider in domain.shared_providers.items()},
    }


def _constant(value: object) -> Any:
    async def provide() -> Any:
        return value

    return provide


async def _provide_principal(request: Request[Any, Any, Any]) -> Principal:
    return current_principal(request)


def _wrap(app: ASGIApp, components: Components) -> ASGIApp:
    """From the inside out: the general limit, the shell, and the proxies' word on who the client is."""
    settings = components.settings
    limit = NamedLimit("default", Limit.parse(settings.rate_limit_default), WhenDown.ALLOW)

    async def refuse(scope: Any, _receive: Any, send: Any, error: Any) -> None:
        await send_problem(scope, send, error)

    limited = GeneralLimit(app, components.general_limiter, limit, on_refused=refuse)
    options = ShellOptions(
        hsts=settings.is_production,
        no_store=(f"{API}/auth/",),
        own_origin=settings.base_url,
        body_idle_seconds=settings.request_body_timeout,
        body_total_seconds=settings.request_body_timeout * 8,
    )
    shell = Shell(
        limited,
        options,
        CORS(settings.cors_origins),
        components.metrics.observe,
        on_denial=DenialLog(components.database),
    )
    if not settings.trusted_proxies:
        return shell
    proxied: ASGIApp = wrap_asgi_with_proxy_headers(shell, trusted_hosts=list(settings.trusted_proxies))
    return proxied


class _Running(InitPlugin):
    """Adds a lifespan that ends before those of the plugins before it: SQLAlchemy's disposes of the engine, which what
    runs in the background still needs.
    """

    def __init__(self, lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]]) -> None:
        self._lifespan = lifespan

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        app_config.lifespan.append(self._lifespan)
        return app_config


@asynccontextmanager
async def _running(components: Components, background: Background, _app: Litestar) -> AsyncGenerator[None, None]:
    await components.start()
    try:
        await background.events.start()
        await components.channels.start()
        async with background.working() if components.settings.jobs_worker == "inside" else nullcontext():
            yield
    finally:
        try:
            await components.channels.close()
            await background.events.close()
        finally:
            await components.close()
