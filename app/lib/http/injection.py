"""Injected dependencies: how they are spelled, and how they are resolved."""

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any, TypeAlias, TypeVar

from litestar import Litestar
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from litestar.routes import HTTPRoute

from app.lib.services import Services

T = TypeVar("T")

Injected: TypeAlias = NamedDependency[SkipValidation[T]]
"""A dependency by its parameter's name, taken as it is: our own objects need no validation."""


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


def provide_service(services: Services, kind: type[Any], per_request: Mapping[type[Any], str]) -> Provide:
    """A provider of a service, built from its constructor's annotations by :class:`~app.lib.services.Services`.

    ``per_request`` are the types that each request has its own of, and the names of their dependencies. A service that
    needs none of them is made once.
    """
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
