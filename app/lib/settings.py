"""Reads a frozen Struct from the environment, a ``.env`` file and ``NAME_FILE`` secrets.

Nothing here runs at import, and nothing but :func:`load` looks at the environment.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import msgspec
from dotenv import dotenv_values

T = TypeVar("T", bound=msgspec.Struct)

_TRUE_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_SIZE_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "B": 1}


class ConfigurationError(Exception):
    """A setting that cannot be used. Its text is one line that names the variable and says what it takes."""


class Secret:
    """A value that neither ``repr`` nor a log shows; :meth:`reveal` gives it to the code that needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "********"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class ByteSize(int):
    """A number of bytes, written as ``2000000``, ``2MB`` or ``2MiB``."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``ValueError`` when the text is no size."""
        upper = text.strip().upper()
        for unit in sorted(_SIZE_UNITS, key=len, reverse=True):
            if upper.endswith(unit):
                return cls(float(upper.removesuffix(unit)) * _SIZE_UNITS[unit])
        return cls(upper)


def variable_name(field: str) -> str:
    """The environment variable of a settings field."""
    return field.upper()


def load(settings_type: type[T], environ: Mapping[str, str], env_file: Path | None = None) -> tuple[T, dict[str, str]]:
    """The settings and, per variable, where its value came from.

    The environment wins over ``.env``; an empty value counts as absent; ``NAME_FILE`` (for every variable)
    names a file whose text, less one line end, is the value. Raises :class:`ConfigurationError`.
    """
    from_file = _read_env_file(env_file)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for field in msgspec.structs.fields(settings_type):
        name = variable_name(field.name)
        found = _find(name, environ, "environment") or _find(name, from_file, f"{env_file}")
        origins[name] = "default"
        if found is not None:
            text, origins[name] = found
            values[field.name] = _convert(name, text, field.type)
    try:
        return settings_type(**values), origins
    except ConfigurationError:
        raise
    except (TypeError, ValueError) as exc:
        raise ConfigurationError(str(exc)) from exc


def _read_env_file(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    return {key: value for key, value in dotenv_values(path, interpolate=False).items() if value is not None}


def _find(name: str, source: Mapping[str, str], origin: str) -> tuple[str, str] | None:
    if value := source.get(name):
        return value, origin
    if path := source.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().removesuffix("\n").removesuffix("\r"), f"file {path}"
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"{name}_FILE: cannot read {path}") from exc
    return None


def _convert(name: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(_prepare(text, kind), kind, strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError) as exc:
        reason = str(exc).replace("`", "").split(" - at")[0]
        raise ConfigurationError(f"{name}: {reason}") from exc


def _prepare(text: str, kind: Any) -> Any:
    info = msgspec.inspect.type_info(kind)
    if isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    members = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    if any(isinstance(m, msgspec.inspect.VarTupleType) for m in members):
        return [part.strip() for part in text.split(",") if part.strip()]
    if any(isinstance(m, msgspec.inspect.BoolType) for m in members):
        return _TRUE_WORDS.get(text.lower(), text)
    return text


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(cast("str", value))
    if kind is ByteSize:
        try:
            return ByteSize.parse(str(value))
        except ValueError:
            raise ValueError("Expected a size such as 2000000 or 2MB") from None
    raise ValueError(f"Unsupported type {kind.__name__}")
