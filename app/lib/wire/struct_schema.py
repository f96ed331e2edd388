"""OpenAPI schemas of Structs, as msgspec reads them.

Litestar's own generator knows nothing of ``forbid_unknown_fields``, writes integer bounds as floats and puts the
constraints of an optional member next to its ``oneOf``, where linters and client generators miss them. This one
says what the decoder does: a closed object refuses other members, ``T | UnsetType`` may be absent, ``T | None`` may
be null, and a component is named after its Struct (``Page[UserRead]`` becomes ``UserPage``).

A Struct gets an example made of the examples of its members, so that every body has one.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Literal, TypeAlias, get_args, get_origin

import msgspec
from litestar.openapi.spec import Reference, Schema
from litestar.params import ParameterKwarg
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from msgspec import UNSET
from msgspec import inspect as types

Keywords: TypeAlias = dict[str, Any]
"""A schema by the keywords of JSON Schema; what is nested in it is a Schema or Reference already."""

# Litestar forgot the alias of one keyword.
_ATTRIBUTES: Mapping[str, str] = {**Schema.field_aliases(), "exclusiveMaximum": "exclusive_maximum"}
_TYPES: Mapping[type[types.Type], Keywords] = {
    types.BoolType: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    types.IntType: {"type": "integer"},
    types.FloatType: {"type": "number"},
    types.StrType: {"type": "string"},
    types.BytesType: {"type": "string", "contentEncoding": "base64"},
    # The bounds are generous: every string has one, and no spelling that clients use is near it.
    types.DateTimeType: {"type": "string", "format": "date-time", "maxLength": 64},
    types.DateType: {"type": "string", "format": "date", "maxLength": 10},
    types.TimeType: {"type": "string", "format": "time", "maxLength": 32},
    types.TimeDeltaType: {"type": "string", "format": "duration", "maxLength": 64},
    types.UUIDType: {"type": "string", "format": "uuid", "maxLength": 36},
    types.DecimalType: {"type": "string", "maxLength": 66, "pattern": r"^-?[0-9]{1,32}(?:\.[0-9]{1,32})?$(?!\n)"},
}
_CONSTRAINTS: Mapping[str, str] = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}
_READ_SUFFIX = re.compile(r"(?:Read|Detail|Summary|With[A-Z][a-z]+)+$")
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WHEN: Mapping[str, str] = {"updated_at": "2026-01-31T12:05:00Z", "expires_at": "2026-05-01T12:00:00Z"}
"""Instants after those of other members."""
_TELLING = (types.StructType, types.CollectionType, types.UUIDType)
"""What examples show where it may be null as well."""
_EXAMPLES: Mapping[type[types.Type], Any] = {
    types.BoolType: False,
    types.DictType: {},
    types.DateTimeType: "2026-01-31T12:00:00Z",
    types.DateType: "2026-01-31",
    types.DecimalType: "12.50",
    types.UUIDType: "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b",
}


class StructSchemaPlugin(OpenAPISchemaPlugin):
    """Makes the schemas of all Structs that Litestar meets; give it to ``Litestar(plugins=[...])``."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        annotation = field_definition.annotation
        return types.is_struct_type(get_origin(annotation) or annotation)

    # The creator's type is in a private module of Litestar, and the result is a reference to a component.
    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Any:
        return schema_of(field_definition.annotation, schema_creator)


def schema_of(type_: Any, schema_creator: Any) -> Schema | Reference:
    """The schema of any type that msgspec knows; Structs and enums become components of the creator's registry."""
    return _nested(_Writer(schema_creator.schema_registry).write(types.type_info(type_)))


class _Writer:
    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def write(self, node: types.Type) -> Keywords | Reference:
        written: Keywords | Reference
        match node:
            case types.Metadata():
                written = self.write(node.type)
                stated = dict(node.extra_json_schema or {})
                stated.update(stated.pop("extra", {}))
                if isinstance(written, Reference):
                    stated.pop("examples", None)  # they are for examples of what the member is in
                    written = {"allOf": [written], **stated} if stated else written
                else:
                    written = {**written, **stated}
            case types.UnionType():
                written = self._union(node)
            case types.StructType():
                written = self._component(node.cls, lambda: self._object(node))
            case types.EnumType():
                written = self._component(node.cls, lambda: _choice([member.value for member in node.cls]))
            case types.DictType():
                bounds = _given(minProperties=node.min_length, maxProperties=node.max_length)
                names = self.write(node.key_type)
                if names != {"type": "string"}:
                    bounds["propertyNames"] = _nested(names)
                written = {"type": "object", "additionalProperties": _nested(self.write(node.value_type)), **bounds}
            case types.CollectionType():
                unique = True if isinstance(node, types.SetType | types.FrozenSetType) else None
                bounds = _given(minItems=node.min_length, maxItems=node.max_length, uniqueItems=unique)
                written = {"type": "array", "items": _nested(self.write(node.item_type)), **bounds}
            case types.LiteralType():
                written = _choice(list(node.values))
            case _:
                bounds = _given(**{keyword: getattr(node, name, None) for name, keyword in _CONSTRAINTS.items()})
                written = {**_TYPES.get(type(node), {}), **bounds}
        return written

    def _union(self, node: types.UnionType) -> Keywords:
        options = [self.write(option) for option in node.types if not isinstance(option, types.NoneType)]
        if not node.includes_none:
            return {"oneOf": [_nested(option) for option in options]}
        only = options[0]
        # Null can join a type that no other keyword keeps it out of.
        others = {"enum", "const", "allOf", "oneOf"}
        if (
            len(options) == 1
            and isinstance(only, dict)
            and isinstance(only.get("type"), str)
            and not only.keys() & others
        ):
            return {**only, "type": [only["type"], "null"]}
        return {"oneOf": [*map(_nested, options), _nested({"type": "null"})]}

    def _object(self, node: types.StructType) -> Keywords:
        properties: Keywords = {node.tag_field: _nested({"const": node.tag})} if node.tag_field else {}
        required = [node.tag_field] if node.tag_field else []
        for member in node.fields:
            stated = self.write(member.type)
            if (default := _default(member)) is not None:
                stated = {"allOf": [stated]} if isinstance(stated, Reference) else stated
                stated = {**stated, "default": default}
            properties[member.encode_name] = _nested(stated)
            required += [member.encode_name] if member.required else []
        written: Keywords = {"type": "object", "properties": properties, "required": required or None}
        if node.forbid_unknown_fields:
            written["additionalProperties"] = False
        example = _example(node, ())
        return written if example is UNSET else {**written, "examples": [example]}

    def _component(self, type_: Any, write: Callable[[], Keywords]) -> Reference:
        named = {"kwarg_definition": ParameterKwarg(schema_component_key=_name(type_))} if get_args(type_) else {}
        field = FieldDefinition.from_annotation(type_, **named)
        if (known := self._registry.get_reference_for_field_definition(field)) is None:
            # Registered while it is still empty, so that a type may name itself.
            component = self._registry.get_schema_for_field_definition(field)
            written = write()
            if text := (get_origin(type_) or type_).__dict__.get("__doc__"):  # a second paragraph is for maintainers
                first = " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())
                written["description"] = first.replace("``", "`")
            for keyword, value in written.items():
                setattr(component, _ATTRIBUTES.get(keyword, keyword), value)
            known = self._registry.get_reference_for_field_definition(field)
        reference: Reference = known
        return reference


def _name(type_: Any) -> str:
    """``Page[UserRead]`` is UserPage: a generic name without brackets or modules."""
    own = str(getattr(get_origin(type_) or type_, "__name__", "Any"))
    return "".join(_name(each).removesuffix("Read") for each in get_args(type_)) + own


def _default(member: types.Field) -> Any:
    """What a member is when it is absent, as JSON has it; None when that is nothing worth saying."""
    if member.default_factory is not msgspec.NODEFAULT:
        return msgspec.to_builtins(member.default_factory())
    absent = member.default is msgspec.NODEFAULT or member.default is UNSET
    return None if absent else msgspec.to_builtins(member.default)


def _nested(written: Keywords | Reference) -> Schema | Reference:
    if isinstance(written, Reference):
        return written
    return Schema(**{_ATTRIBUTES.get(keyword, keyword): value for keyword, value in written.items()})


def _given(**bounds: Any) -> Keywords:
    return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _choice(values: list[Any]) -> Keywords:
    if len(values) == 1:
        return {"const": values[0]}
    kinds = {"integer" if isinstance(value, int) else "string" for value in values if value is not None}
    return {"enum": values, **({"type": kinds.pop()} if len(kinds) == 1 and None not in values else {})}


def _example(node: types.Type, inside: tuple[Any, ...]) -> Any:
    example: Any = _EXAMPLES.get(type(node), UNSET)
    match node:
        case types.Metadata() if (node.extra or {}).get("is_alternative"):
            example = UNSET  # a body has this member or another one
        case types.Metadata():
            stated = (node.extra_json_schema or {}).get("examples")
            example = stated[0] if stated else _example(node.type, inside)
        case types.UnionType():
            options = (each for each in node.types if not isinstance(each, types.NoneType))
            example = next((_example(each, inside) for each in options), None)
        case types.StructType() if node.cls not in inside:
            example = _example_struct(node, (*inside, node.cls))
        case types.CollectionType():
            item = _example(node.item_type, inside)
            example = [item] * (node.min_length or 1) if item is not UNSET else UNSET if node.min_length else []
        case types.EnumType():
            example = next(iter(node.cls)).value
        case types.LiteralType():
            example = node.values[0]
        case types.IntType() | types.FloatType():
            example = _example_number(node)
        case _:
            pass
    return example


def example_id(name: str) -> str:
    """A UUIDv7 for examples: the same for the same name, such as ``order_id``."""
    digest = sha256(name.encode()).hexdigest()
    return f"0193a3c4-5b6d-7{digest[:3]}-9{digest[3:6]}-{digest[6:18]}"


def _example_member(member: types.Field, node: types.StructType, inside: tuple[Any, ...]) -> Any:
    bare = _bare(member.type)
    is_stated = _states_example(member.type)
    may_be_null = isinstance(member.type, types.UnionType) and member.type.includes_none
    is_answer = not node.forbid_unknown_fields
    if may_be_null and is_answer and not is_stated and not isinstance(bare, _TELLING):
        return None  # as in most answers
    if isinstance(bare, types.UUIDType) and not is_stated:
        stem = _WORD.split(_READ_SUFFIX.sub("", node.cls.__name__))[-1].lower()  # as in paths
        return example_id(f"{stem}_id" if member.name == "id" else member.name)
    if isinstance(bare, types.LiteralType) and not is_stated:  # msgspec sorts the choices
        return _first_choice(next(each.type for each in msgspec.structs.fields(node.cls) if each.name == member.name))
    if isinstance(bare, types.DateTimeType) and not is_stated:
        return _WHEN.get(member.name, _EXAMPLES[types.DateTimeType])
    return _example(member.type, inside)


def _bare(node: types.Type) -> types.Type:
    """The type without what is said about it, and without null."""
    while isinstance(node, types.Metadata | types.UnionType):
        if isinstance(node, types.Metadata):
            node = node.type
        else:
            node = next(each for each in node.types if not isinstance(each, types.NoneType))
    return node


def _states_example(node: types.Type) -> bool:
    if isinstance(node, types.UnionType):
        return any(map(_states_example, node.types))
    if not isinstance(node, types.Metadata):
        return False
    return "examples" in (node.extra_json_schema or {}) or _states_example(node.type)


def _first_choice(annotation: Any) -> Any:
    """The first value of the Literal in an annotation."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)[0]
    found = (_first_choice(each) for each in get_args(annotation) if get_origin(each) or each is annotation)
    return next((each for each in found if each is not None), None)


def _example_number(node: types.IntType | types.FloatType) -> float:
    lowest = node.ge if node.ge is not None else node.gt + 1 if node.gt is not None else None
    highest = node.le if node.le is not None else node.lt - 1 if node.lt is not None else None
    number = 1 if highest is None else min(1, highest)
    return number if lowest is None else max(lowest, number)


def _example_struct(node: types.StructType, inside: tuple[Any, ...]) -> Any:
    example: Keywords = {node.tag_field: node.tag} if node.tag_field else {}
    for member in node.fields:
        value = _default(member)
        if value in (None, [], {}) or _states_example(member.type):
            value = _example_member(member, node, inside)
        if value is not UNSET:
            example[member.encode_name] = value
        elif member.required:
            return UNSET
    return example
