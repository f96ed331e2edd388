"""The application: its domains, its middleware, and what wraps it."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import ImproperlyConfiguredException
from litestar.types import ASGIApp, ControllerRouterHandler

from app.config import Settings
from app.core import API, Core
from app.domain.accounts import accounts
from app.domain.audit import audit
from app.domain.auth import auth
from app.domain.catalog import catalog
from app.domain.identities import identities
from app.domain.jobs import jobs
from app.domain.notifications import notifications
from app.domain.orders import orders
from app.domain.posts import posts
from app.domain.realtime import realtime
from app.domain.system import system
from app.domain.webhooks import webhooks
from app.environment import read_settings, with_secret_key
from app.lib.audit import Origin, provide_origin
from app.lib.audit.denials import DenialLog
from app.lib.db.uow import UnitOfWork
from app.lib.domain import Domain
from app.lib.http.answers import PublicAnswers
from app.lib.http.base_path import below
from app.lib.http.conditional import declare_personal, provide_if_match
from app.lib.http.cors import CORS
from app.lib.http.injection import OwnRouter, provide_services, resolve_in_sequence
from app.lib.http.problems import exception_handlers
from app.lib.http.proxies import TrustedProxies
from app.lib.http.responses import encode_response
from app.lib.http.rules import RulesMiddleware, declare_rules
from app.lib.http.shell import Shell, remember_refusal
from app.lib.http.spans import trace_requests
from app.lib.http.tracebacks import Tracebacks
from app.lib.http.transaction import IdempotencyMiddleware, unit_provider
from app.lib.jobs.background import repeating
from app.lib.observability.logging import configure_logging
from app.lib.openapi.document import name_operations
from app.lib.pagination.parameters import LIST_PARAMETERS
from app.lib.ratelimit.general import GeneralLimit
from app.lib.ratelimit.routes import ROUTE_LIMITS, undefined_limits
from app.lib.security.bearer import BearerMiddleware
from app.lib.security.policies import declare_policies, provide_principal, provide_viewer
from app.lib.security.principal import Authenticator, TicketTaker
from app.lib.serving.lifespan import InnerLifespan
from app.lib.serving.processes import die_with_parent
from app.lib.wire.struct_schema import StructSchemaPlugin

DOMAINS = (accounts, auth, identities, posts, catalog, orders, realtime, notifications, webhooks, jobs, audit, system)
"""Adding a domain is one more name here, after those that it stands on."""


def _of_the_request(core: Core) -> dict[str, Callable[..., Any]]:
    """What every handler may inject by these names, next to services by their types."""
    return {
        "unit": unit_provider(core.database),
        "origin": provide_origin,
        "principal": provide_principal,
        "viewer": provide_viewer,
        "if_match": provide_if_match,
        **LIST_PARAMETERS,
    }


def load_settings(
    environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")
) -> tuple[Settings, dict[str, str]]:
    """The settings of the process and of every domain, and where each comes from. Raises ``ConfigurationError``."""
    return read_settings([each.settings for each in DOMAINS if each.settings], environ, env_file)


def create_app(settings: Settings | None = None, domains: Sequence[Domain] = DOMAINS) -> Litestar:
    """The application. Without settings they are read from the environment, as granian's workers do it.

    Raises ``ConfigurationError`` for settings that cannot be used, and refuses a route without a policy.
    """
    die_with_parent()
    settings = with_secret_key(settings or load_settings()[0])
    configure_logging(settings.effective_log_level, settings.log_format)
    core = Core(settings, domains)
    return app_of(core, [*_routes(core), *core.handlers])


def app_of(core: Core, handlers: Sequence[ControllerRouterHandler]) -> Litestar:
    """An application with these route handlers and all that is around them."""
    settings = core.settings
    is_local = settings.environment == "development"
    cors = CORS(settings.cors_origins, settings.address.origin, settings.cors_headers, takes_local=is_local)
    bearer = BearerMiddleware(core.services.get(Authenticator), core.services.find(TicketTaker), cors.check_opener)
    app = Litestar(
        route_handlers=handlers,
        dependencies={name: Provide(provider) for name, provider in _of_the_request(core).items()},
        middleware=[bearer, RulesMiddleware(), IdempotencyMiddleware(*core.keys.derive_all("idempotency"))],
        plugins=[StructSchemaPlugin(), InnerLifespan(partial(_running, core))],
        exception_handlers=exception_handlers(),
        after_request=encode_response,
        after_exception=[remember_refusal],
        lifespan=[core.draining.lifespan],
        request_max_body_size=settings.request_max_body_size,
        openapi_config=None,
        logging_config=None,
    )
    app.state.core = core
    app.state[ROUTE_LIMITS] = core.route_limits
    declare_policies(app)
    declare_personal(app, f"{API}/users/me")
    declare_rules(app)
    name_operations(app)
    resolve_in_sequence(app)
    if missing := undefined_limits(app):
        raise ImproperlyConfiguredException(f"rate limits without a definition: {sorted(missing)}")
    shell = _shell(PublicAnswers(app.asgi_router, core.database.writes, bearer.admit), core, cors)
    shown = trace_requests(Tracebacks(shell) if is_local else shell)
    app.asgi_handler = below(settings.address.path, shown, app.routes)
    return app


def _routes(core: Core) -> list[Router]:
    """A router for each domain and path."""
    routers: list[Router] = []
    for domain in core.domains:
        root = [*domain.root_handlers]
        if domain.development_handlers is not None and core.settings.environment == "development":
            root += domain.development_handlers()
        routers += [router_of(core, path, each) for path, each in ((API, domain.controllers), ("/", root)) if each]
    return routers


def router_of(core: Core, path: str, handlers: Sequence[ControllerRouterHandler]) -> Router:
    """Handlers below a path, with the services that they inject."""
    router = OwnRouter(path, route_handlers=handlers)
    provide_services(router, core.services, _of_the_request(core), {UnitOfWork: "unit", Origin: "origin"})
    return router


def _shell(app: ASGIApp, core: Core, cors: CORS) -> Shell:
    settings = core.settings
    return Shell(
        app,
        cors,
        proxies=TrustedProxies(settings.trusted_proxies),
        limit=GeneralLimit(core.general_limiter, settings.rate_limit_default, settings.max_open_per_address),
        observe=core.metrics.observe,
        on_denial=DenialLog(core.database),
        hsts=settings.is_production,
        no_store=(f"{API}/auth/",),
        body_idle_seconds=settings.request_body_timeout,
        body_total_seconds=settings.request_body_timeout * 8,
    )


@asynccontextmanager
async def _running(core: Core) -> AsyncGenerator[None]:
    samples = repeating(core.metrics.sample, "metrics.not_sampled") if core.metrics.has_others else nullcontext()
    async with core.running(), samples, core.working() if core.settings.jobs_worker == "inside" else nullcontext():
        yield
