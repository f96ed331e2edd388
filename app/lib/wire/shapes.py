"""The shape of a type: what is needed to find *all* errors of a value, and to run checks that a type cannot say.

msgspec stops at the first error. A :class:`Shape` mirrors a type and lets msgspec convert each part of a value by
itself, so that what counts as an error is always msgspec's own decision and never a second implementation.

    Slug = Annotated[str, Meta(max_length=80), Check(refuse_reserved_words), Hint("Must be like 'a-b-c'.")]

Both are metadata that msgspec and OpenAPI do not see: the value stays a plain ``str``.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(slots=True, eq=False, kw_only=True)
class Shape:
    """A value that is looked at as a whole: a scalar, or a container that is not worth taking apart."""

    wire_type: Any
    runtime: type[Any] | tuple[type[Any], ...] = object
    checks: tuple[Check, ...] = ()
    hint: str | None = None
    choices: tuple[Any, ...] = ()
    has_decimals: bool = False

    @property
    def parts(self) -> "tuple[Shape, ...]":
        return ()

    def refine(self, value: Any, path: Path, findings: Findings) -> Any:
        """Runs the checks on a converted value and returns the value to keep."""
        if value is None or value is msgspec.UNSET:
            return value
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
            self.descend(value, path, findings, strict=strict)
            if len(findings) == before:
                self.complain(path, findings, raised)
        else:
            if self.has_decimals:
                self.descend(value, path, findings, strict=strict)
            self.refine(converted, path, findings)

    def descend(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        """Looks at the parts of a value, one by one."""

    def complain(self, path: Path, findings: Findings, raised: Exception) -> None:
        """Notes an error of the value itself."""
        if isinstance(raised, ValidationFailed):
            findings.add_raised(path, raised)
            return
        code, detail, pointer = explain(raised)
        if code is FieldCode.INVALID_FORMAT and self.hint and not isinstance(raised.__cause__, FieldProblem):
            detail = self.hint
        elif code is FieldCode.INVALID_CHOICE and 0 < len(self.choices) <= _MAX_LISTED_CHOICES:
            detail = f"Must be one of: {', '.join(map(str, self.choices))}."
        findings.add(path, code, detail, pointer)


_DECIMAL = re.compile(r"-?[0-9]{1,32}(?:\.[0-9]{1,32})?")


class DecimalShape(Shape):
    """A decimal string. msgspec also takes JSON numbers, which have been through a float elsewhere."""

    def examine(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        if isinstance(value, int | float):
            findings.add(path, FieldCode.INVALID_TYPE, "Must be a decimal string.")
        elif isinstance(value, str) and not _DECIMAL.fullmatch(value):
            findings.add(path, FieldCode.INVALID_FORMAT, "Must be a decimal number such as 12.50.")
        else:
            Shape.examine(self, value, path, findings, strict=strict)


@dataclass(slots=True)
class Member:
    name: str
    key: str
    required: bool
    shape: Shape


@dataclass(slots=True, eq=False, kw_only=True)
class Record(Shape):
    """A Struct."""

    members: dict[str, Member] = field(default_factory=dict[str, Member])
    refined: tuple[Member, ...] = ()
    tag_field: str | None = None
    tag: str | int | None = None
    closed: bool = True

    @property
    def parts(self) -> tuple[Shape, ...]:
        return tuple(member.shape for member in self.members.values())

    def refine(self, value: Any, path: Path, findings: Findings) -> Any:
        if value is None or value is msgspec.UNSET:
            return value
        for member in self.refined:
            old = getattr(value, member.name)
            new = member.shape.refine(old, (path, member.key), findings)
            if new is not old:
                msgspec.structs.force_setattr(value, member.name, new)
        return Shape.refine(self, value, path, findings)

    def descend(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        if not isinstance(value, dict):
            return
        for key, member in self.members.items():
            if findings.full:
                return
            if key in value:
                member.shape.examine(value[key], (path, key), findings, strict=strict)
            elif member.required:
                findings.add((path, key), FieldCode.REQUIRED, "Is required.")
        if self.closed:
            self._refuse_others(value, path, findings)

    def _refuse_others(self, value: dict[str, Any], path: Path, findings: Findings) -> None:
        for key in value:
            if findings.full:
                return
            if key not in self.members and key != self.tag_field:
                findings.add((path, key), FieldCode.UNKNOWN_FIELD, "Unknown member.")


@dataclass(slots=True, eq=False, kw_only=True)
class Many(Shape):
    """A list, set or tuple of one type of item. ``frame`` is the type with any items."""

    item: Shape
    frame: Any

    @property
    def parts(self) -> tuple[Shape, ...]:
        return (self.item,)

    def refine(self, value: Any, path: Path, findings: Findings) -> Any:
        if value is None or value is msgspec.UNSET:
            return value
        items = [self.item.refine(item, (path, index), findings) for index, item in enumerate(value)]
        return Shape.refine(self, type(value)(items), path, findings)

    def descend(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        if not isinstance(value, list) or not _fits(self, value, path, findings):
            return
        for index, item in enumerate(value):
            if findings.full:
                return
            self.item.examine(item, (path, index), findings, strict=strict)


@dataclass(slots=True, eq=False, kw_only=True)
class Mapping(Shape):
    """A mapping with any keys. ``frame`` is the type with any members."""

    key: Shape
    item: Shape
    frame: Any

    @property
    def parts(self) -> tuple[Shape, ...]:
        return (self.key, self.item)

    def refine(self, value: Any, path: Path, findings: Findings) -> Any:
        if value is None or value is msgspec.UNSET:
            return value
        items = {
            self.key.refine(key, (path, key), findings): self.item.refine(item, (path, key), findings)
            for key, item in value.items()
        }
        return Shape.refine(self, items, path, findings)

    def descend(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        if not isinstance(value, dict) or not _fits(self, value, path, findings):
            return
        for key, item in value.items():
            if findings.full:
                return
            # The keys of JSON are strings; msgspec reads numbers from them whatever the mode.
            self.key.examine(key, (path, key), findings, strict=False)
            self.item.examine(item, (path, key), findings, strict=strict)


def _fits(shape: Many | Mapping, value: Any, path: Path, findings: Findings) -> bool:
    """Notes a wrong number of items; what has too many is not looked into."""
    try:
        msgspec.convert(value, shape.frame)
    except msgspec.ValidationError as raised:
        finding = explain(raised)
        findings.add(path, *finding)
        return finding.code is not FieldCode.TOO_LONG
    return True


@dataclass(slots=True, eq=False, kw_only=True)
class Choice(Shape):
    """A union of more than one type beside None and UNSET."""

    options: tuple[Shape, ...]

    @property
    def parts(self) -> tuple[Shape, ...]:
        return self.options

    def refine(self, value: Any, path: Path, findings: Findings) -> Any:
        for option in self.options:
            if isinstance(value, option.runtime):
                return Shape.refine(self, option.refine(value, path, findings), path, findings)
        return Shape.refine(self, value, path, findings)

    def descend(self, value: Any, path: Path, findings: Findings, *, strict: bool) -> None:
        for option in self.options:
            if _is_meant(option, value):
                option.examine(value, path, findings, strict=strict)


def _is_meant(option: Shape, value: Any) -> bool:
    match option:
        case Record():
            return isinstance(value, dict) and (option.tag_field is None or value.get(option.tag_field) == option.tag)
        case Mapping():
            return isinstance(value, dict)
        case Many():
            return isinstance(value, list)
        case _:
            return False


def reachable(shape: Shape) -> Iterator[Shape]:
    """The shape and everything in it, each once, recursive types included."""
    seen: set[int] = set()
    waiting = [shape]
    while waiting:
        current = waiting.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting.extend(current.parts)


def has_checks(shape: Shape) -> bool:
    """Whether a converted value needs :meth:`Shape.refine`."""
    return any(part.checks for part in reachable(shape))
