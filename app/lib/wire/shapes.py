"""The shape of a type: what is needed to find *all* errors of a value, and to run checks that a type cannot say.

msgspec stops at the first error. A :class:`Shape` mirrors a type and lets msgspec convert each part of a value by
itself, so that what counts as an error is always msgspec's own decision and never a second implementation.

    Slug = Annotated[str, Meta(max_length=80), Check(refuse_reserved_words), Hint("Must be like 'a-b-c'.")]

Both are metadata that msgspec and OpenAPI do not see: the value stays a plain ``str``.
"""

import enum
from collections import abc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import msgspec

from app.lib.errors import FieldCode, ValidationFailed
from app.lib.wire.field_errors import FieldProblem, Findings, Path, explain

_MAX_LISTED_CHOICES = 20


@dataclass(frozen=True, slots=True)
class Check:
    """Metadata of ``Annotated``: ``apply(value)`` returns the value to keep or raises :class:`FieldProblem`.

    It runs after the type itself has been checked and never sees ``None`` or ``UNSET``.
    """

    apply: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Hint:
    """Metadata of ``Annotated``: the sentence for a value that does not match the pattern."""

    detail: str


@dataclass(eq=False, kw_only=True)
class Shape:
    """A value that is examined as a whole: a scalar, or a container that is not worth taking apart."""

    wire_type: Any
    runtime: type[Any] | tuple[type[Any], ...] = object
    checks: tuple[Check, ...] = ()
    hint: str | None = None
    choices: tuple[Any, ...] = ()
    parts: "tuple[Shape, ...]" = ()

    @cached_property
    def has_checks(self) -> bool:
        """Whether a converted value needs :meth:`refine`."""
        return any(part.checks for part in self.reachable())

    @cached_property
    def decode(self) -> Callable[[bytes], Any]:
        """From a JSON text."""
        return msgspec.json.Decoder(self.wire_type).decode

    def reachable(self) -> "Iterator[Shape]":
        """The shape and everything in it, each once, recursive types included."""
        seen: set[int] = set()
        waiting: list[Shape] = [self]
        while waiting:
            current = waiting.pop()
            if id(current) not in seen:
                seen.add(id(current))
                yield current
                waiting.extend(current.parts)

    def checked(self, value: Any) -> Any:
        """Runs the checks on a converted value and returns the value to keep. Raises ``ValidationFailed``."""
        if self.has_checks:
            findings = Findings()
            value = self.refine(value, None, findings)
            findings.refuse()
        return value

    def refine(self, value: Any, path: Path, findings: Findings) -> Any:
        """As :meth:`checked`, for a part of a value: notes what is wrong."""
        if value is None or value is msgspec.UNSET:
            return value
        value = self.refine_parts(value, path, findings)
        try:
            for check in self.checks:
                value = check.apply(value)
        except (FieldProblem, ValidationFailed) as problem:
            findings.add_raised(path, problem)
        return value

    def examine(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        """Notes everything that is wrong with a value of JSON's own types."""
        try:
            converted = msgspec.convert(value, self.wire_type, strict=strict, str_keys=True)
        except (msgspec.ValidationError, ValidationFailed) as raised:
            before = len(findings)
            self.examine_parts(value, path, findings, strict=strict)
            if len(findings) == before:
                self._complain(path, findings, raised)
        else:
            self.refine(converted, path, findings)

    def refine_parts(self, value: Any, path: Path, findings: Findings) -> Any:
        """Runs the checks of the parts of a converted value."""
        del path, findings
        return value

    def examine_parts(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        """Examines the parts of a value, one by one."""

    def is_meant(self, value: Any) -> bool:
        """Whether an error in a value of a union is best explained by this option of it."""
        del value
        return False

    def _complain(self, path: Path, findings: Findings, raised: Exception) -> None:
        if isinstance(raised, ValidationFailed):
            findings.add_raised(path, raised)
            return
        code, detail, pointer = explain(raised)
        if code is FieldCode.INVALID_FORMAT and self.hint and not isinstance(raised.__cause__, FieldProblem):
            detail = self.hint
        elif code is FieldCode.INVALID_CHOICE and 0 < len(self.choices) <= _MAX_LISTED_CHOICES:
            detail = f"Must be one of: {', '.join(map(str, self.choices))}."
        findings.add(path, code, detail, pointer)


@dataclass(eq=False, kw_only=True)
class Record(Shape):
    """A Struct. ``members`` has its fields by their names on the wire."""

    members: dict[str, tuple[msgspec.structs.FieldInfo, Shape]] = field(default_factory=dict[str, Any])

    @cached_property
    def _refined(self) -> list[tuple[msgspec.structs.FieldInfo, Shape]]:
        return [member for member in self.members.values() if member[1].has_checks]

    def refine_parts(self, value: Any, path: Path, findings: Findings) -> Any:
        for info, shape in self._refined:
            old = getattr(value, info.name)
            new = shape.refine(old, (path, info.encode_name), findings)
            if new is not old:
                msgspec.structs.force_setattr(value, info.name, new)
        return value

    def examine_parts(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        if not isinstance(value, dict):
            return
        for key, (info, shape) in self.members.items():
            if findings.full:
                return
            if key in value:
                shape.examine(value[key], (path, key), findings, strict=strict)
            elif info.required:
                findings.add((path, key), FieldCode.REQUIRED, "Is required.")
        config = cast("Any", self.runtime).__struct_config__
        unknown = (key for key in value if key not in self.members and key != config.tag_field)
        for key in unknown if config.forbid_unknown_fields else ():
            if findings.full:
                return
            findings.add((path, key), FieldCode.UNKNOWN_FIELD, "Unknown member.")

    def is_meant(self, value: Any) -> bool:
        config = cast("Any", self.runtime).__struct_config__
        return isinstance(value, dict) and (config.tag_field is None or value.get(config.tag_field) == config.tag)


@dataclass(eq=False, kw_only=True)
class Container(Shape):
    """A list, set or tuple of one type of item, or with ``key`` a mapping. ``frame`` is the type with any items."""

    item: Shape
    key: Shape | None = None
    frame: Any

    def refine_parts(self, value: Any, path: Path, findings: Findings) -> Any:
        if self.key is None:
            return type(value)([self.item.refine(item, (path, i), findings) for i, item in enumerate(value)])
        return {
            self.key.refine(key, (path, key), findings): self.item.refine(item, (path, key), findings)
            for key, item in value.items()
        }

    def examine_parts(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        if not self.is_meant(value):
            return
        try:
            msgspec.convert(value, self.frame)
        except msgspec.ValidationError as raised:
            findings.add(path, *(finding := explain(raised)))
            if finding.code is FieldCode.TOO_LONG:  # what has too many items is not looked into
                return
        for place, item in enumerate(value) if self.key is None else value.items():
            if findings.full:
                return
            if self.key is not None:  # the keys of JSON are strings; msgspec reads numbers from them in any mode
                self.key.examine(place, (path, place), findings, strict=False)
            self.item.examine(item, (path, place), findings, strict=strict)

    def is_meant(self, value: Any) -> bool:
        return isinstance(value, list if self.key is None else dict)


class Choice(Shape):
    """A union of more than one type, None and UNSET not counted; ``parts`` are its options."""

    def refine_parts(self, value: Any, path: Path, findings: Findings) -> Any:
        option = next((each for each in self.parts if isinstance(value, each.runtime)), None)
        return value if option is None else option.refine(value, path, findings)

    def examine_parts(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        for option in self.parts:
            if option.is_meant(value):
                option.examine(value, path, findings, strict=strict)


_LISTS = (list, set, frozenset, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Set, abc.MutableSet)
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)


@cache
def shape_of(type_: Any) -> Shape:
    """The shape of a type, made once."""
    return _shape(type_, {})


def _shape(type_: Any, records: dict[Any, Record]) -> Shape:
    base: Any = type_
    metadata: tuple[Any, ...] = ()
    while get_origin(base) is Annotated or hasattr(base, "__supertype__"):  # the latter is a NewType
        metadata = (*getattr(base, "__metadata__", ()), *metadata)
        base = base.__origin__ if get_origin(base) is Annotated else base.__supertype__
    shape = _bare(base, type_, metadata, records)
    checks = tuple(item for item in metadata if isinstance(item, Check))
    if checks and isinstance(shape, Record):  # the record is shared by all who name the Struct
        shape = Choice(wire_type=type_, parts=(shape,))
    shape.checks += checks
    shape.hint = next((item.detail for item in reversed(metadata) if isinstance(item, Hint)), shape.hint)
    return shape


def _bare(base: Any, type_: Any, metadata: tuple[Any, ...], records: dict[Any, Record]) -> Shape:
    origin: Any = get_origin(base) or base
    if origin is Union or origin is UnionType:
        options = [arg for arg in get_args(base) if arg is not NoneType and arg is not msgspec.UnsetType]
        shapes = [_shape(option, records) for option in options]
        if len(shapes) > 1 or isinstance(shapes[0], Record):
            return Choice(wire_type=type_, parts=tuple(shapes))
        shapes[0].wire_type = type_
        return shapes[0]
    if origin in _MAPPINGS or origin in _LISTS or (origin is tuple and get_args(base)[1:] == (...,)):
        return _container(base, origin, type_, metadata, records)
    if msgspec.inspect.is_struct_type(origin) and not origin.__struct_config__.array_like:
        if base not in records:
            record = records[base] = Record(wire_type=base, runtime=origin)
            for info in msgspec.structs.fields(base):
                record.members[info.encode_name] = info, _shape(info.type, records)
            record.parts = tuple(shape for _, shape in record.members.values())
        return records[base]
    choices: tuple[Any, ...] = get_args(base) if origin is Literal else ()
    if isinstance(origin, enum.EnumMeta):
        choices = tuple(each.value for each in cast("type[enum.Enum]", origin))
    runtime: Any = tuple({type(value) for value in choices}) if origin is Literal else origin
    return Shape(wire_type=type_, choices=choices, runtime=runtime if isinstance(runtime, (type, tuple)) else object)


def _container(base: Any, origin: Any, type_: Any, metadata: tuple[Any, ...], records: dict[Any, Record]) -> Shape:
    frame: Any = dict if origin in _MAPPINGS else list
    for meta in metadata:
        if isinstance(meta, msgspec.Meta):
            frame = Annotated[frame, meta]
    *keys, item = (_shape(arg, records) for arg in (get_args(base) or (Any, Any)) if arg is not ...)
    if origin in _MAPPINGS:
        return Container(wire_type=type_, runtime=dict, key=keys[0], item=item, frame=frame, parts=(*keys, item))
    runtime = origin if origin in {list, set, frozenset, tuple} else (list, set)
    return Container(wire_type=type_, runtime=runtime, item=item, frame=frame, parts=(item,))
