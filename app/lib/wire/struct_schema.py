"""OpenAPI schemas of Structs, as msgspec reads them.

Litestar's own generator knows nothing of ``forbid_unknown_fields``, writes integer bounds as floats and puts the
constraints of an optional member next to its ``oneOf``, where linters and client generators miss them. This one
says what the decoder does: a closed object refuses other members, ``T | UnsetType`` may be absent, ``T | None`` may
be null, and a component is named after its Struct (``Page[UserRead]`` becomes ``UserReadPage``).

A Struct gets an example made of the examples of its members, so that every body has one.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_args, get_origin

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
_EXAMPLES: Mapping[type[types.Type], Any] = {
    types.BoolType: True,
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
    return _Writer(schema_creator.schema_registry).schema(types.type_info(type_))


class _Writer:
    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def schema(self, node: types.Type) -> Schema | Reference:
        return _nested(self._write(node))

    def _write(self, node: types.Type) -> Keywords | Reference:
        match node:
            case types.Metadata():
                return self._with_metadata(node)
            case types.UnionType():
                return self._union(node)
            case types.StructType():
                return self._component(node.cls, lambda: self._object(node))
            case types.EnumType():
                return self._component(node.cls, lambda: _choice([member.value for member in node.cls]))
            case types.CollectionType() | types.DictType():
                return self._container(node)
            case _:
                return _scalar(node)

    def _with_metadata(self, node: types.Metadata) -> Keywords | Reference:
        inner = self._write(node.type)
        stated = dict(node.extra_json_schema or {})
        stated.update(stated.pop("extra", {}))
        if isinstance(inner, Reference):
            return {"allOf": [inner], **stated} if stated else inner
        return {**inner, **stated}

    def _union(self, node: types.UnionType) -> Keywords:
        options = [self._write(option) for option in node.types if not isinstance(option, types.NoneType)]
        if not node.includes_none:
            return {"oneOf": [_nested(option) for option in options]}
        only = options[0]
        if len(options) == 1 and isinstance(only, dict) and _is_plain(only):
            return {**only, "type": [only["type"], "null"]}
        return {"oneOf": [*map(_nested, options), _nested({"type": "null"})]}

    def _container(self, node: types.CollectionType | types.DictType) -> Keywords:
        if isinstance(node, types.DictType):
            bounds = _given(minProperties=node.min_length, maxProperties=node.max_length)
            return {"type": "object", "additionalProperties": self.schema(node.value_type), **bounds}
        bounds = _given(minItems=node.min_length, maxItems=node.max_length)
        if isinstance(node, types.SetType | types.FrozenSetType):
            bounds["uniqueItems"] = True
        return {"type": "array", "items": self.schema(node.item_type), **bounds}

    def _object(self, node: types.StructType) -> Keywords:
        properties = {each.encode_name: self._member(each) for each in node.fields}
        required = [each.encode_name for each in node.fields if each.required]
        if node.tag_field:
            properties = {node.tag_field: _nested({"const": node.tag}), **properties}
            required.insert(0, node.tag_field)
        written: Keywords = {"type": "object", "properties": properties, "required": required or None}
        if node.forbid_unknown_fields:
            written["additionalProperties"] = False
        example = _example(node, ())
        return written if example is UNSET else {**written, "examples": [example]}

    def _member(self, member: types.Field) -> Schema | Reference:
        written = self._write(member.type)
        if (default := _default(member)) is None:
            return _nested(written)
        stated = {"allOf": [written]} if isinstance(written, Reference) else written
        return _nested({**stated, "default": default})

    def _component(self, type_: Any, write: Callable[[], Keywords]) -> Reference:
        named = {"kwarg_definition": ParameterKwarg(schema_component_key=_name(type_))} if get_args(type_) else {}
        field = FieldDefinition.from_annotation(type_, **named)
        if (known := self._registry.get_reference_for_field_definition(field)) is None:
            # Registered while it is still empty, so that a type may name itself.
            component = self._registry.get_schema_for_field_definition(field)
            for keyword, value in (write() | _documentation(type_)).items():
                setattr(component, _ATTRIBUTES.get(keyword, keyword), value)
            known = self._registry.get_reference_for_field_definition(field)
        reference: Reference = known
        return reference


def _name(type_: Any) -> str:
    """``Page[UserRead]`` is UserReadPage: a generic name without brackets or modules."""
    own = str(getattr(get_origin(type_) or type_, "__name__", "Any"))
    return "".join(map(_name, get_args(type_))) + own


def _documentation(type_: Any) -> Keywords:
    """The first paragraph of the type's own docstring; what comes after it is for people who read the code."""
    text = (get_origin(type_) or type_).__dict__.get("__doc__")
    if not text:
        return {}
    return {"description": " ".join(inspect.cleandoc(text).partition("\n\n")[0].split()).replace("``", "`")}


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


def _is_plain(written: Keywords) -> bool:
    """Whether null can join the type, because no other keyword would forbid it."""
    return isinstance(written.get("type"), str) and not written.keys() & {"enum", "const", "allOf", "oneOf"}


def _given(**bounds: Any) -> Keywords:
    return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _scalar(node: types.Type) -> Keywords:
    if isinstance(node, types.LiteralType):
        return _choice(list(node.values))
    stated = {keyword: getattr(node, attribute, None) for attribute, keyword in _CONSTRAINTS.items()}
    return {**_TYPES.get(type(node), {}), **_given(**stated)}


def _choice(values: list[Any]) -> Keywords:
    if len(values) == 1:
        return {"const": values[0]}
    kinds = {"integer" if isinstance(value, int) else "string" for value in values if value is not None}
    return {"enum": values, **({"type": kinds.pop()} if len(kinds) == 1 and None not in values else {})}


def _example(node: types.Type, inside: tuple[Any, ...]) -> Any:
    match node:
        case types.Metadata():
            stated = (node.extra_json_schema or {}).get("examples")
            return stated[0] if stated else _example(node.type, inside)
        case types.UnionType():
            return next((_example(each, inside) for each in node.types if not isinstance(each, types.NoneType)), None)
        case types.StructType():
            return UNSET if node.cls in inside else _example_struct(node, (*inside, node.cls))
        case types.CollectionType():
            item = _example(node.item_type, inside)
            return [] if item is UNSET else [item] * (node.min_length or 1)
        case _:
            return _example_scalar(node)


def _example_scalar(node: types.Type) -> Any:
    match node:
        case types.EnumType():
            return next(iter(node.cls)).value
        case types.LiteralType():
            return node.values[0]
        case types.IntType() | types.FloatType():
            return _example_number(node)
        case types.DictType():
            return {}
        case _:
            return _EXAMPLES.get(type(node), UNSET)


def _example_number(node: types.IntType | types.FloatType) -> float:
    lowest = node.ge if node.ge is not None else node.gt + 1 if node.gt is not None else None
    highest = node.le if node.le is not None else node.lt - 1 if node.lt is not None else None
    number = 1 if highest is None else min(1, highest)
    return number if lowest is None else max(lowest, number)


def _example_struct(node: types.StructType, inside: tuple[Any, ...]) -> Any:
    example: Keywords = {node.tag_field: node.tag} if node.tag_field else {}
    for member in node.fields:
        default = _default(member)
        value = _example(member.type, inside) if default in (None, [], {}) else default
        if value is not UNSET:
            example[member.encode_name] = value
        elif member.required:
            return UNSET
    return example
