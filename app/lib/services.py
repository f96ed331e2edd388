"""Wiring by type: long-lived objects, and services built from the annotations of their constructors."""

from collections.abc import Callable
from functools import cache
from inspect import Parameter, isfunction, signature
from typing import Any, TypeVar, cast, get_type_hints

T = TypeVar("T")

Build = Callable[[dict[type[Any], Any]], Any]


class Services:
    """Long-lived objects of a process by their type, and what can be built from them.

    A constructor's parameter is looked up by its annotation: first among the objects of the call (a unit of work, the
    origin of a request), then among the long-lived ones; any other class is built in the same way. So a constructor
    takes no numbers or texts, and two objects that differ have two types.
    """

    def __init__(self, *values: object) -> None:
        self._objects: dict[type[Any], Any] = {Services: self}
        self.add_all(*values)

    def add(self, value: object, *protocols: type[Any]) -> None:
        """Keeps a long-lived object under its own type, and under the protocols that it is looked up by."""
        for kind in (type(value), *protocols):
            self._objects[kind] = value

    def add_all(self, *values: object) -> None:
        """Keeps each of the objects under its own type."""
        for value in values:
            self.add(value)

    def find(self, kind: type[T]) -> T | None:
        """The long-lived object of this type, or None."""
        return cast("T | None", self._objects.get(kind))

    def get(self, kind: type[T]) -> T:
        """The long-lived object of this type. Raises ``LookupError`` when there is none."""
        if kind not in self._objects:
            raise LookupError(f"there is no {kind.__name__}")
        return cast("T", self._objects[kind])

    def build(self, kind: type[T], *scoped: object) -> T:
        """A ``kind`` for one unit of work or request, whose objects are ``scoped``. Raises ``LookupError``."""
        built: T = self.builder(kind, frozenset(type(value) for value in scoped))[1]({type(v): v for v in scoped})
        return built

    def builder(self, kind: type[Any], scoped: frozenset[type[Any]]) -> tuple[frozenset[type[Any]], Build]:
        """Which of the ``scoped`` types an object of this kind needs, and the function that makes it from them.

        What needs none of them is made once, here. Raises ``LookupError`` for a parameter that nothing can be found or
        built for.
        """
        if kind in scoped:
            return frozenset({kind}), lambda given: given[kind]
        if kind in self._objects:
            value = self._objects[kind]
            return frozenset(), lambda _given: value
        makers: dict[str, Build] = {}
        needs: frozenset[type[Any]] = frozenset()
        for name, parameter in _parameters(cast("Any", kind)).items():
            try:
                more, makers[name] = self.builder(parameter, scoped)
            except LookupError as exc:
                raise LookupError(f"{kind.__qualname__}({name}): {exc}") from None
            needs |= more
        if needs:
            return needs, lambda given: kind(**{name: make(given) for name, make in makers.items()})
        shared = kind(**{name: make({}) for name, make in makers.items()})
        return needs, lambda _given: shared


@cache
def _parameters(kind: Any) -> dict[str, type[Any]]:
    """The types of a constructor's parameters. Raises ``LookupError`` for what is no class with one of its own."""
    if getattr(kind, "_is_protocol", False) or not isfunction(getattr(kind, "__init__", None)):
        raise LookupError(f"{kind!r} is neither a long-lived object nor a class to build")
    constructor: Any = kind.__init__
    hints = get_type_hints(constructor)
    return {
        name: hints[name]
        for name, parameter in signature(constructor).parameters.items()
        if name != "self" and parameter.kind not in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    }
