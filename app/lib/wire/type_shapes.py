"""Reads the :class:`~app.lib.wire.shapes.Shape` off a type."""

import enum
from collections import abc
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import msgspec

from app.lib.wire.shapes import (
    Check,
    Choice,
    DecimalShape,
    Hint,
    Many,
    Mapping,
    Member,
    Record,
    Shape,
    has_checks,
    reachable,
)

_LISTS = (list, set, frozenset, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Set, abc.MutableSet)
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)


@cache
def shape_of(type_: Any) -> Shape:
    """The shape of a type, made once."""
    records: dict[Any, Record] = {}
    shape = _shape(type_, records)
    for part in reachable(shape):
        # msgspec alone would let JSON numbers pass as decimals, so the parts are looked at in any case.
        part.has_decimals = any(isinstance(below, DecimalShape) for below in reachable(part))
    for record in records.values():
        record.refined = tuple(member for member in record.members.values() if has_checks(member.shape))
    return shape


def _shape(type_: Any, records: dict[Any, Record]) -> Shape:
    base, metadata = _unwrap(type_)
    shape = _bare(base, type_, metadata, records)
    checks = tuple(item for item in metadata if isinstance(item, Check))
    if checks and isinstance(shape, Record):  # the record is shared by all who name the Struct
        shape = Choice(wire_type=type_, options=(shape,))
    shape.checks += checks
    for item in metadata:
        if isinstance(item, Hint):
            shape.hint = item.detail
    return shape


def _unwrap(type_: Any) -> tuple[Any, tuple[Any, ...]]:
    """Takes aliases and ``Annotated`` off a type."""
    metadata: tuple[Any, ...] = ()
    while True:
        if get_origin(type_) is Annotated:
            metadata = (*type_.__metadata__, *metadata)
            type_ = type_.__origin__
        elif hasattr(type_, "__supertype__"):  # NewType
            type_ = type_.__supertype__
        else:
            return type_, metadata


def _bare(base: Any, type_: Any, metadata: tuple[Any, ...], records: dict[Any, Record]) -> Shape:
    origin: Any = get_origin(base) or base
    if origin is Union or origin is UnionType:
        return _union(base, type_, records)
    if origin in _MAPPINGS or origin in _LISTS or (origin is tuple and get_args(base)[1:] == (...,)):
        return _container(base, origin, type_, metadata, records)
    if msgspec.inspect.is_struct_type(origin) and not origin.__struct_config__.array_like:
        return _record(base, origin, records)
    return _scalar(base, origin, type_)


def _scalar(base: Any, origin: Any, type_: Any) -> Shape:
    if origin is Literal:
        values = get_args(base)
        return Shape(wire_type=type_, choices=values, runtime=tuple({type(value) for value in values}))
    if origin is Decimal:
        return DecimalShape(wire_type=type_, runtime=Decimal)
    if isinstance(origin, enum.EnumMeta):
        choices = tuple(each.value for each in cast("type[enum.Enum]", origin))
        return Shape(wire_type=type_, runtime=origin, choices=choices)
    return Shape(wire_type=type_, runtime=origin if isinstance(origin, type) else object)


def _container(base: Any, origin: Any, type_: Any, metadata: tuple[Any, ...], records: dict[Any, Record]) -> Shape:
    args = get_args(base) or (Any, Any)
    metas = tuple(item for item in metadata if isinstance(item, msgspec.Meta))
    if origin in _MAPPINGS:
        key, item = (_shape(arg, records) for arg in args[:2])
        return Mapping(wire_type=type_, runtime=dict, key=key, item=item, frame=_framed(dict, metas))
    runtime = origin if origin in {list, set, frozenset, tuple} else (list, set)
    item = _shape(args[0], records)
    return Many(wire_type=type_, runtime=runtime, item=item, frame=_framed(list, metas))


def _framed(container: type[Any], metas: tuple[msgspec.Meta, ...]) -> Any:
    framed: Any = container
    for meta in metas:
        framed = Annotated[framed, meta]
    return framed


def _union(base: Any, type_: Any, records: dict[Any, Record]) -> Shape:
    options = [arg for arg in get_args(base) if arg is not NoneType and arg is not msgspec.UnsetType]
    shapes = tuple(_shape(option, records) for option in options)
    if len(shapes) == 1 and not isinstance(shapes[0], Record):
        shapes[0].wire_type = type_
        return shapes[0]
    return Choice(wire_type=type_, options=shapes)


def _record(base: Any, origin: Any, records: dict[Any, Record]) -> Shape:
    if base in records:
        return records[base]
    config = origin.__struct_config__
    record = records[base] = Record(
        wire_type=base,
        runtime=origin,
        tag_field=config.tag_field,
        tag=config.tag,
        closed=config.forbid_unknown_fields,
    )
    for info in msgspec.structs.fields(base):
        shape = _shape(info.type, records)
        record.members[info.encode_name] = Member(info.name, info.encode_name, info.required, shape)
    return record
