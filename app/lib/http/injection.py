"""Injected dependencies: how they are spelled, and how they are resolved."""

from typing import TypeAlias, TypeVar

from litestar import Litestar
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.routes import HTTPRoute

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
