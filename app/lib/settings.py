"""Reads a frozen Struct from the environment, a ``.env`` file and ``NAME_FILE`` secrets.

Nothing here runs at import, and nothing but :func:`load` looks at the environment.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, cast, get_origin
from urllib.parse import urlsplit

import idna
import msgspec
from dotenv import dotenv_values
from msgspec import inspect

WEB_SCHEMES = frozenset({"http", "https"})

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PLAIN_ORIGIN = re.compile(r"https?://[^\s/?#@%\\]+/?", re.IGNORECASE)
_ADDRESS = re.compile(r"([^/]*//[^/]*)((?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~-]+)*)/?")
_MAX_PATH = 100
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*")

_NO_HOST = "expected a host name or address, and a port from 1 to 65535 if any"
_CREDENTIALS = re.compile(r"(?:[\w.~!$&'()*+,;=: -]|%[0-9a-f]{2})*", re.ASCII | re.IGNORECASE)

_TRUE_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_SIZE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMG]?I?B|)")
_WRONG_TYPE = re.compile(r"Expected (\w+)(?: \| null)?, got ")
_OUT_OF_RANGE = re.compile(r"Expected (?:int|float) ([<>]=? .+)")
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


class ConfigurationError(Exception):
    """Settings that cannot be used. Each of ``faults`` is a line ``NAME: what it takes``, and the text has them all."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def all_faults(rules: Iterable[Iterable[str]]) -> list[str]:
    """The lines of all rules. One that stumbles over a value which another rule refuses ends there."""
    found: set[str] = set()
    stumbled: ValueError | None = None
    for rule in rules:
        try:
            for line in rule:
                found.add(line)
        except ConfigurationError as exc:
            found.update(exc.faults)
        except ValueError as exc:
            stumbled = exc
    if stumbled and not found:
        raise stumbled
    return sorted(found)


def refused(name: str, parse: Callable[[str], object], *texts: str, expected: str = "") -> Iterator[str]:
    """A line for each text that ``parse`` refuses by a ``ValueError``; it has ``expected``, or the error's text."""
    for text in texts:
        try:
            parse(text)
        except ValueError as exc:
            yield f"{name}: {expected or exc}"


def set_in(origin: str) -> str:
    """Where a value comes from, as a line about it ends."""
    return "" if origin == "default" else f" (set in {'the environment' if origin == 'environment' else origin})"


class Secret:
    """A value that neither ``repr`` nor a log shows; :meth:`reveal` gives it to the code that needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
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
        """Raises ``ValueError`` when the text is no size, or none of at least one byte."""
        match = _SIZE.fullmatch(text.strip().upper())
        size = cls(float(match[1]) * _SIZE_UNITS[match[2]]) if match else cls(0)
        if size < 1:
            raise ValueError("Expected a size such as 2000000 or 2MB")
        return size


class WebOrigin(str):
    """Scheme, host and port of a web address as browsers write them (RFC 6454): lower case, the host in ASCII (IDNA),
    without the default port.
    """

    __slots__ = ()
    _EXPECTED = "expected scheme, host and port such as https://app.example.com, without a path"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Takes every spelling of an origin. Raises ``ValueError`` for what is none, or has a path or credentials."""
        if not _PLAIN_ORIGIN.fullmatch(text):
            raise ValueError(cls._EXPECTED)
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
            if "[" in parts.netloc:
                host = f"[{IPv6Address(host)}]"
            elif not host.isascii():
                host = idna.encode(host, uts46=True).decode()
        except ValueError as exc:  # those of idna are such, too
            raise ValueError(_NO_HOST) from exc
        if port == 0 or not (host.startswith("[") or _HOST.fullmatch(host)):
            raise ValueError(_NO_HOST)
        is_default = port in {None, _DEFAULT_PORTS[parts.scheme]}
        return cls(f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{port}")

    @property
    def host(self) -> str:
        """The name or address, without brackets."""
        return urlsplit(self).hostname or ""


class WebAddress(WebOrigin):
    """An origin, and perhaps a path below it, which is kept as it is written; it does not end with a slash."""

    __slots__ = ()
    _EXPECTED = (
        "expected scheme, host and port such as https://example.com, and perhaps a path of letters, digits and -._~"
    )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``ValueError``, also for a path that would have to be escaped somewhere."""
        match = _ADDRESS.fullmatch(text)
        if match is None or len(match[2]) > _MAX_PATH:
            raise ValueError(cls._EXPECTED)
        return cls(super().parse(match[1]) + match[2])

    @property
    def path(self) -> str:
        """Such as ``/team``, or empty."""
        return urlsplit(self).path

    @property
    def origin(self) -> str:
        """The address without its path."""
        return self.removesuffix(self.path)


class AllowedOrigin(WebOrigin):
    """An origin, or ``*`` for all."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``ValueError``."""
        return cls("*") if text == "*" else super().parse(text)


def described_fields(settings_type: type[msgspec.Struct]) -> list[msgspec.structs.FieldInfo]:
    """The fields that are read from the environment: those that have a description."""
    return [field for field in msgspec.structs.fields(settings_type) if get_origin(field.type) is Annotated]


def variable_name(field: str) -> str:
    """The environment variable of a settings field."""
    return field.upper()


class Loaded(NamedTuple):
    """What was found, by the names of fields, and by the names of variables where it was and what is wrong with it."""

    values: dict[str, Any]
    origins: dict[str, str]
    faults: dict[str, str]


def load(settings_type: type[msgspec.Struct], environ: Mapping[str, str], env_file: Path | None = None) -> Loaded:
    """The values of a Struct's fields that are set, of the right types.

    The environment wins over ``.env``, and ``NAME`` over ``NAME_FILE``, which (for every variable) names a file whose
    text is the value. What editors and Docker leave around a value is taken off: a byte order mark, one line end, a
    pair of quotes. An empty value counts as absent. Raises :class:`ConfigurationError` for a file that is no text.
    """
    from_file = read_env_file(env_file)
    values, origins, faults = found_all = Loaded({}, {}, {})
    for field in described_fields(settings_type):
        name = variable_name(field.name)
        origins[name] = "default"
        try:
            if found := _find(name, environ, "environment") or _find(name, from_file, f"{env_file}"):
                text, origins[name] = found
                values[field.name] = _convert(name, text, field.type)
        except ConfigurationError as exc:
            faults[name] = str(exc)
    return found_all


def read_env_file(path: Path | None) -> dict[str, str]:
    """What the file sets; nothing where there is none. Raises :class:`ConfigurationError`."""
    try:
        if path is None or not path.is_file():
            return {}
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 text") from exc
    return {key: value for key, value in found.items() if value is not None}


def _find(name: str, source: Mapping[str, str], origin: str) -> tuple[str, str] | None:
    if value := _bare(source.get(name, "")):
        return value, origin
    if path := _bare(source.get(f"{name}_FILE", "")):
        try:
            text = _bare(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValueError) as exc:
            # It may be the secret itself, put there by mistake.
            raise ConfigurationError(f"{name}_FILE: expected the path of a readable text file{set_in(origin)}") from exc
        if not text:  # a secret that was not delivered must not turn into a default
            raise ConfigurationError(f"{name}_FILE: {path} is empty{set_in(origin)}")
        return text, f"file {path}"
    return None


def _bare(text: str) -> str:
    """The text without what surrounds it by accident."""
    text = text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")
    is_quoted = len(text) > 1 and text[0] in {'"', "'"} and text.find(text[0], 1) == len(text) - 1
    return text[1:-1] if is_quoted else text


def _convert(name: str, text: str, kind: Any) -> Any:
    members = _members(kind)
    try:
        return msgspec.convert(_prepare(text, members), kind, strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError) as exc:
        raise ConfigurationError(f"{name}: {_reason(str(exc), members)}") from None


def _members(kind: Any) -> tuple[inspect.Type, ...]:
    """The types that a field may have, without the annotations around them."""
    info = inspect.type_info(kind)
    if isinstance(info, inspect.Metadata):
        info = info.type
    return info.types if isinstance(info, inspect.UnionType) else (info,)


def _prepare(text: str, members: tuple[inspect.Type, ...]) -> Any:
    if any(isinstance(member, inspect.VarTupleType) for member in members):
        return [part.strip() for part in text.split(",") if part.strip()]
    if any(isinstance(member, inspect.BoolType) for member in members):
        return _TRUE_WORDS.get(text.lower(), text)
    if any(isinstance(member, inspect.LiteralType) for member in members):
        return text.lower()
    return text


def _reason(text: str, members: tuple[inspect.Type, ...]) -> str:
    """Msgspec's words as an operator would say them, and never with the value, which may be a secret."""
    choices = [str(value) for member in members if isinstance(member, inspect.LiteralType) for value in member.values]
    if choices:
        return f"expected one of {', '.join(choices)}"
    text = text.partition(" - at")[0].replace("`", "")
    if match := _WRONG_TYPE.match(text):
        return f"expected {_KINDS.get(match[1], match[1])}"
    if match := _OUT_OF_RANGE.fullmatch(text):
        return f"must be {match[1]}"
    return text[:1].lower() + text[1:]


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(cast("str", value))
    if issubclass(kind, ByteSize | WebOrigin):
        return kind.parse(str(value))
    raise ValueError(f"Unsupported type {kind.__name__}")


def check_credentials(url: str) -> None:
    """Raises ``ValueError`` for a user name or a password with characters that have to be percent-encoded (RFC 3986).

    Else their rest is taken for the host or the path, which is shown in messages and logs.
    """
    authority = url.partition("://")[2]
    credentials, at, _ = authority.rpartition("@")
    if at and not authority.startswith("/") and not _CREDENTIALS.fullmatch(credentials):
        raise ValueError("special characters in user name and password must be percent-encoded, such as @ as %40")


def is_url(text: str, schemes: Collection[str], path: str = "(?s:.*)") -> bool:
    """Whether it is a URL of one of these schemes, with a host, a good port and a path like the pattern; or a Unix
    socket.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme == "unix":
        return "unix" in schemes
    return parts.scheme in schemes and bool(parts.hostname) and port != 0 and bool(re.fullmatch(path, parts.path))
