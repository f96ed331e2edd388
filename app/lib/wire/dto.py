"""What goes over the wire, declared on the controllers.

    class UserController(Controller):
        dto = StructDTO[UserCreate]
        return_dto = StructDTO[UserRead]

        @post()
        async def create_user(self, data: JSONBody[UserCreate], users: NamedDependency[UserService]) -> User: ...

        @patch("/{user_id:uuid}", dto=StructDTO[UserUpdate])
        async def update_user(self, user_id: FromPath[UUID], data: JSONBody[UserUpdate], ...) -> User: ...

        @delete("/{user_id:uuid}", dto=None, return_dto=None)
        async def delete_user(self, user_id: FromPath[UUID], ...) -> None: ...

- **In**: the body is decoded strictly into what the handler declares (the Struct, a list of it, or
  ``JSONBody[Struct | None] = None`` where the body is optional), and all field errors are reported together. The
  application does not start when the type takes unknown members or has a member without bounds.
- **Out**: the handler returns the Struct, an entity with attributes of the same names, or a ``Response`` around either.
  Only what the Struct names ever leaves. What is that very Struct already is passed on as it is. A list is a Struct,
  too: a page.
"""

import functools
import operator
from collections.abc import Generator, Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qs

import msgspec
from litestar.connection import ASGIConnection
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.enums import RequestEncodingType
from litestar.exceptions import ImproperlyConfiguredException
from litestar.openapi.spec import Reference, Schema
from litestar.response import Response
from litestar.typing import FieldDefinition
from msgspec import UNSET, Struct
from msgspec import inspect as types

from app.lib.errors import BadRequest, FieldCode, FieldError, ValidationFailed
from app.lib.wire.decoding import convert, decode_json
from app.lib.wire.struct_schema import schema_of

T = TypeVar("T")
StructT = TypeVar("StructT", bound=Struct)

MAX_FORM_FIELDS = 100


class Input(Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of what clients send. Its repr has names only: bodies hold passwords, and reprs end up in logs."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(provided(self))})"


class ForeignInput(Struct, kw_only=True):
    """Base of what clients pass on as another's standard defines it, inside of an ``Input``: such standards grow, so
    members that it does not name are ignored.
    """

    __repr__ = Input.__repr__


class Output(Struct, kw_only=True):
    """Base of what clients get. It has no defaults, so that every member is always there."""


def provided(patch: Struct) -> dict[str, Any]:
    """The members of a merge patch (RFC 7396) that were sent, by name; None among them means "clear"."""
    values = ((name, getattr(patch, name)) for name in patch.__struct_fields__)
    return {name: value for name, value in values if value is not UNSET}


def project(read_type: type[StructT], source: object, **others: Any) -> StructT:
    """A Read Struct with what a source has under the same names, and ``others`` for what it has not, or has otherwise.

    Values are taken as they are. Raises ``AttributeError`` for what is in neither.
    """
    names = (name for name in read_type.__struct_fields__ if name not in others)
    return read_type(**{name: getattr(source, name) for name in names}, **others)


class StructDTO(AbstractDTO[T], Generic[T]):
    """Declares a Struct as the wire format of a controller or handler; see the module."""

    def decode_bytes(self, value: bytes) -> Any:
        """Decodes a body that is not empty. Raises ``MalformedJSON`` and ``ValidationFailed``."""
        return decode_json(value, self._body_type())

    def decode_builtins(self, value: dict[str, Any]) -> Any:
        """Decodes a form that Litestar has parsed. Raises ``ValidationFailed``."""
        return convert(value, self._body_type(), strict=False)

    def _body_type(self) -> Any:
        field = self.asgi_connection.route_handler.parsed_data_field
        return self.model_type if field is None or field.annotation is self.model_type else _input_type(field)

    def data_to_encodable_type(self, data: Any) -> Any:
        """Makes what a handler returned into what may leave."""
        if isinstance(data, Response):
            response: Response[Any] = data
            response.content = self.data_to_encodable_type(response.content)
            return response
        if data is None or type(data) is (get_origin(self.model_type) or self.model_type):
            return data
        try:
            return msgspec.convert(data, self.model_type, from_attributes=True)
        except msgspec.ValidationError as mismatch:  # our mistake, not the client's
            raise TypeError(f"{type(data).__name__} is no {self.model_type.__name__}: {mismatch}") from None

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: type[Any] | None = None
    ) -> None:
        """Called by Litestar for each handler at start. Raises ``ImproperlyConfiguredException``."""
        if field_definition.name != "data":
            cls._is_answer(field_definition.annotation)
        elif faults := unbounded(_input_type(field_definition)):
            raise ImproperlyConfiguredException(f"{handler_id.partition('::')[0]}: {'; '.join(faults)}")

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:
        """Whether what a handler returns is for this DTO; nothing, text and files are not."""
        return cls._is_answer(field_definition.annotation)

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        is_body = field_definition.name == "data"
        return schema_of(_input_type(field_definition) if is_body else cls.model_type, schema_creator)

    @classmethod
    def _is_answer(cls, annotation: Any) -> bool:
        """Whether a handler that is annotated so returns the Struct, or an entity that it stands for."""
        origin: Any = get_origin(annotation) or annotation
        if isinstance(origin, type) and issubclass(origin, Response):
            arguments = get_args(annotation)
            return bool(arguments) and cls._is_answer(arguments[0])
        if annotation == cls.model_type:
            return True
        if origin in {NoneType, str, bytes, bool, int, float}:
            return False
        if not isinstance(origin, type) or issubclass(origin, UnionType | Struct | Sequence):
            name = getattr(origin, "__name__", origin)
            raise ImproperlyConfiguredException(
                f"A handler that returns {name} needs return_dto=StructDTO[{name}] or None, "
                f"not {cls.model_type.__name__}."
            )
        return True

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        """None: msgspec reads the Struct itself."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False


class FormDTO(StructDTO[T], Generic[T]):
    """Reads ``application/x-www-form-urlencoded`` as well as JSON, as OAuth2 clients send it.

    The handler declares ``JSONBody``; with Litestar's ``URLEncodedBody`` the raw body, and with it the password, would
    stay in a cache of 1 024 entries.
    """

    def decode_bytes(self, value: bytes) -> Any:
        """Decodes by the request's media type. Raises ``BadRequest``, ``MalformedJSON`` and ``ValidationFailed``."""
        if not has_form(self.asgi_connection):
            return super().decode_bytes(value)
        form = parse_form(value)
        decoded = self.decode_builtins(form)
        members = zip(decoded.__struct_encode_fields__, decoded.__struct_fields__, strict=True)
        nulls = [name for name, member in members if name in form and getattr(decoded, member) is None]
        if nulls:
            detail = "A form has no null."
            raise ValidationFailed(
                [FieldError(pointer=f"/{name}", code=FieldCode.INVALID_CHOICE, detail=detail) for name in nulls]
            )
        return decoded


def has_form(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the request says that its body is a form."""
    content_type = connection.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower() == RequestEncodingType.URL_ENCODED.value


def parse_form(raw: bytes) -> dict[str, str | list[str]]:
    """Reads a form; a name that occurs more than once has a list.

    Raises ``BadRequest`` (400) for what is no UTF-8, and ``ValidationFailed`` for more than 100 fields.
    """
    if raw.count(b"&") >= MAX_FORM_FIELDS:
        detail = f"Must have at most {MAX_FORM_FIELDS} members."
        raise ValidationFailed([FieldError(pointer="", code=FieldCode.TOO_LONG, detail=detail)])
    try:
        form = parse_qs(raw.decode("utf-8"), keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("The request body is not a form in UTF-8.") from None
    return {name: values if len(values) > 1 else values[0] for name, values in form.items()}


def _input_type(field: FieldDefinition) -> Any:
    """The type of a body: null is never one, also where the body may be left out."""
    type_: Any = field.annotation
    if get_origin(type_) in {Union, UnionType}:
        type_ = functools.reduce(operator.or_, [arg for arg in get_args(type_) if arg is not NoneType])
    for meta in field.metadata:
        if isinstance(meta, msgspec.Meta):
            type_ = Annotated[type_, meta]
    return type_


def unbounded(type_: Any) -> list[str]:
    """Every string, number, list and mapping without limits, and every Struct that takes unknown members, by name."""
    return list(_unbounded(types.type_info(type_), "body", set()))


def _unbounded(node: types.Type, place: str, seen: set[Any]) -> Iterator[str]:
    if isinstance(node, types.StructType):
        if node.cls in seen:
            return
        seen.add(node.cls)
        place = node.cls.__name__
        if not (node.forbid_unknown_fields or issubclass(node.cls, ForeignInput)):
            yield f"{place} takes unknown members"
    elif isinstance(node, types.AnyType | types.RawType | types.CustomType):
        yield f"{place} takes anything"
    elif isinstance(node, types.DecimalType):
        yield f"{place} is a Decimal, which takes JSON numbers that were floats elsewhere: use an Amount"
    elif isinstance(node, types.IntType | types.FloatType):
        if (node.ge is None and node.gt is None) or (node.le is None and node.lt is None):
            yield f"{place} is a number without a minimum and a maximum"
    elif getattr(node, "max_length", 0) is None:
        yield f"{place} has no maximum length"
    for part, name in _parts(node, place):
        yield from _unbounded(part, name, seen)


def _parts(node: types.Type, place: str) -> list[tuple[types.Type, str]]:
    match node:
        case types.Metadata():
            return [] if (node.extra or {}).get("is_checked_later") else [(node.type, place)]
        case types.UnionType():
            return [(option, place) for option in node.types]
        case types.StructType():
            return [(member.type, f"{place}.{member.name}") for member in node.fields]
        case types.CollectionType():
            return [(node.item_type, f"{place}[]")]
        case types.DictType():
            return [(node.key_type, f"a key of {place}"), (node.value_type, f"{place}[]")]
        case _:
            return []
