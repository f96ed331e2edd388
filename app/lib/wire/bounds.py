"""Finds what a type on the wire leaves unbounded, so that an application that forgot a limit does not start."""

from collections.abc import Iterator
from typing import Any

from msgspec import inspect as types

Bounded = types.StrType | types.BytesType | types.CollectionType | types.DictType


def unbounded(type_: Any) -> list[str]:
    """Names every string, number, list and mapping without limits, and every Struct that takes unknown members.

    Empty when a body of this type is bounded in every direction.
    """
    return list(_walk(types.type_info(type_), "body", set()))


def _walk(node: types.Type, place: str, seen: set[Any]) -> Iterator[str]:
    match node:
        case types.Metadata():
            yield from _walk(node.type, place, seen)
        case types.UnionType():
            for option in node.types:
                yield from _walk(option, place, seen)
        case types.StructType():
            yield from _walk_struct(node, seen)
        case types.AnyType() | types.RawType() | types.CustomType():
            yield f"{place} takes anything"
        case types.IntType() | types.FloatType():
            yield from _number(node, place)
        case types.StrType() | types.BytesType() | types.CollectionType() | types.DictType():
            yield from _sized(node, place, seen)
        case _:
            pass


def _walk_struct(node: types.StructType, seen: set[Any]) -> Iterator[str]:
    if node.cls in seen:
        return
    seen.add(node.cls)
    name = node.cls.__name__
    if not node.forbid_unknown_fields:
        yield f"{name} takes unknown members"
    for member in node.fields:
        yield from _walk(member.type, f"{name}.{member.name}", seen)


def _number(node: types.IntType | types.FloatType, place: str) -> Iterator[str]:
    if (node.ge is None and node.gt is None) or (node.le is None and node.lt is None):
        yield f"{place} is a number without a minimum and a maximum"


def _sized(node: Bounded, place: str, seen: set[Any]) -> Iterator[str]:
    if node.max_length is None:
        yield f"{place} has no maximum length"
    if isinstance(node, types.CollectionType):
        yield from _walk(node.item_type, f"{place}[]", seen)
    elif isinstance(node, types.DictType):
        yield from _walk(node.key_type, f"a key of {place}", seen)
        yield from _walk(node.value_type, f"{place}[]", seen)
