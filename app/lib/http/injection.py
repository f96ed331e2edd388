"""Injected dependencies: how they are spelled, and how they are resolved."""

from collections.abc import Collection, Iterator, Mapping
from inspect import Parameter, Signature, get_annotations
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

from litestar import Litestar, Router
from litestar._kwargs import KwargsModel
from litestar.di import Dependency, NamedDependency, Provide
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation
from litestar.routes import HTTPRoute
from litestar.routes.base import BaseRoute
from litestar.types import ControllerRouterHandler
from litestar.types.internal_types import PathParameterDefinition

from app.lib.db.versions import IfMatch
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal
from app.lib.services import Services

T = TypeVar("T")

Injected: TypeAlias = NamedDependency[SkipValidation[T]]
"""A dependency by its parameter's name, taken as it is: our own objects need no validation."""

# What every handler may inject, as ``principal``, ``if_match``, ``paging`` and ``times``.
Caller: TypeAlias = Injected[Principal]
Precondition: TypeAlias = Injected[IfMatch]
Paging: TypeAlias = Injected[PageRequest]
Times: TypeAlias = Injected[dict[str, Any]]


class OwnRouter(Router):
    """Of one app, so it needs no copy, which Litestar would make of everything that hangs on it."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        routes = super().register(value)
        for route in routes:
            if isinstance(route, HTTPRoute):
                route.route_handlers = [
                    PathOptions.of(route, each) if each.http_methods == {"OPTIONS"} else each
                    for each in route.route_handlers
                ]
        return routes

    def __deepcopy__(self, _memo: object) -> Self:
        return self


class PathOptions(HTTPRouteHandler):
    """OPTIONS of a path, which a middleware answers (:mod:`app.lib.http.rules`).

    Litestar makes a handler with a signature and dependencies of its own for every path, a sixth of what a start takes.
    """

    _model: ClassVar[KwargsModel | None] = None

    @classmethod
    def of(cls, route: HTTPRoute, made: HTTPRouteHandler) -> HTTPRouteHandler:
        handler = cls(route.path, http_method="OPTIONS", include_in_schema=False, sync_to_thread=False)(_answered_above)
        handler.owner = made.owner
        return handler

    def on_registration(self, app: Litestar) -> None:
        self.resolve_opts()

    def create_kwargs_model(self, path_parameters: dict[str, PathParameterDefinition]) -> KwargsModel:
        cls = type(self)
        cls._model = cls._model or super().create_kwargs_model({})
        return cls._model


def _answered_above() -> None:
    """For the signature alone: it is not called."""


def resolve_in_sequence(app: Litestar) -> None:
    """Makes every handler resolve its dependencies one after another.

    Litestar resolves independent ones in a task group, which costs a quarter of a small request's processor time
    and gains nothing where no provider waits. In sequence, a provider that raises also never leaves the unit of
    work behind unclosed. Each batch keeps its place, so what depends on others still comes after them.
    """
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for _, model in route.route_handler_map.values():
            model.dependency_batches = [
                {dependency}
                for batch in model.dependency_batches
                for dependency in sorted(batch, key=lambda each: each.key)
            ]


def provide_services(
    router: Router, services: Services, provided: Collection[str], per_request: Mapping[type[Any], str]
) -> None:
    """Gives the handlers of a router a provider for each service that they inject and that is not ``provided``.

    The annotations of handlers and constructors are all there is to declare, see :class:`~app.lib.services.Services`.
    ``per_request`` are the types that each request has its own of, and the names of their dependencies; a service that
    needs none of them is made once. Raises ``ImproperlyConfiguredException`` for one name with two types.
    """
    wanted: dict[str, type[Any]] = {}
    providers: dict[str, Provide] = {}
    for handler, name, kind in _injected(router):
        if name in provided:
            continue
        if wanted.setdefault(name, kind) is not kind:
            raise ImproperlyConfiguredException(f"{name} is {kind.__name__} and {wanted[name].__name__}")
        if name not in providers:
            providers[name] = _provide(services, kind, per_request)
        # Of the handler, not of the router: Litestar compares all that a handler might inject, each with each other.
        handler.dependencies = {**(handler.dependencies or {}), name: providers[name]}


def _injected(router: Router) -> Iterator[tuple[Any, str, Any]]:
    for route in router.routes:
        handlers: Any = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for handler in handlers:
            for name, hint in get_annotations(handler.fn).items():
                is_injected = any(isinstance(each, Dependency) for each in getattr(hint, "__metadata__", ()))
                if is_injected and name not in handler.dependency_name_set:
                    yield handler, name, hint.__origin__


def _provide(services: Services, kind: type[Any], per_request: Mapping[type[Any], str]) -> Provide:
    needed, build = services.builder(kind, frozenset(per_request))

    def provide(**given: Any) -> Any:
        return build({each: given[per_request[each]] for each in needed})

    alias: Any = NamedDependency
    skip: Any = SkipValidation
    annotations = {per_request[each]: alias[skip[each]] for each in needed}
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=each) for name, each in annotations.items()]
    provide.__annotations__ = {**annotations, "return": kind}
    provide.__signature__ = Signature(parameters, return_annotation=kind)  # type: ignore[attr-defined] # read by Litestar
    return Provide(provide, sync_to_thread=False)
