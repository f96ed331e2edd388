"""What Litestar reads from the signature of a function, remembered: each app of a process would read the same again."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from litestar._signature.model import SignatureModel
from litestar.utils.signature import ParsedSignature

_known: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()
_parse: Callable[..., Any] = ParsedSignature.from_fn
_make_model: Callable[..., Any] = SignatureModel.create


def read_once() -> None:
    """From now on. The first app of a process is made as everywhere; the others take a third less."""
    parsed: Any = ParsedSignature
    model: Any = SignatureModel
    parsed.from_fn = _parse_once
    model.create = _make_model_once


def _parse_once(fn: Any, signature_namespace: dict[str, Any]) -> Any:
    return _once(fn, None, lambda: _parse(fn, signature_namespace))


def _make_model_once(dependency_name_set: set[str], fn: Any, *, data_dto: Any = None, **others: Any) -> Any:
    key = (data_dto, frozenset(dependency_name_set), tuple(others["type_decoders"]))
    return _once(fn, key, lambda: _make_model(dependency_name_set, fn, data_dto=data_dto, **others))


def _once(function: Any, key: object, make: Callable[[], Any]) -> Any:
    """By the function: a method of a controller is bound to another one in each app."""
    known = _known.setdefault(getattr(function, "__func__", function), {})
    if key not in known:
        known[key] = make()
    return known[key]
