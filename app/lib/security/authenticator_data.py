"""Reads what browsers send of authenticators, before the package ``webauthn`` does.

That package trusts what it decodes: CBOR with references (tags 28 and 29), which it writes out again, makes gigabytes
of two hundred bytes, and a broken structure raises all kinds of errors. Here either the structure is sound, or a
``FieldProblem`` is raised.
"""

from base64 import urlsafe_b64decode
from typing import Any, Final

import msgspec
from webauthn.helpers import parse_cbor

from app.lib.errors import FieldCode
from app.lib.wire import base64url
from app.lib.wire.decoding import FieldProblem

_MAX_DEPTH: Final = 4  # CTAP 2.1, section 8
_HEADER: Final = 37  # of authenticator data: the hash of the relying party's id, flags, a counter
_HAS_CREDENTIAL, _HAS_EXTENSIONS = 1 << 6, 1 << 7


class ClientData(msgspec.Struct, frozen=True, rename="camel"):
    """What the browser says of the ceremony. Authenticators sign it."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool = False


def from_base64url(text: str) -> bytes:
    """Raises ``FieldProblem``."""
    try:
        return urlsafe_b64decode(f"{text}{'=' * (-len(text) % 4)}")
    except ValueError:
        raise FieldProblem(FieldCode.INVALID_FORMAT, "Must be base64url.") from None


def client_data_of(text: str) -> ClientData:
    """Raises ``FieldProblem``."""
    try:
        return msgspec.json.decode(from_base64url(text), type=ClientData)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FieldProblem(FieldCode.INVALID_FORMAT, "Must be the client data of a browser.") from None


def authenticator_data_of(text: str) -> bytes:
    """Raises ``FieldProblem``."""
    data = from_base64url(text)
    flags, at = data[_HEADER - 5] if len(data) >= _HEADER else 0, _HEADER
    if flags & _HAS_CREDENTIAL:  # an id of the model, the length of the credential's id, that id, a key
        at = _end_of_item(data, at + 18 + int.from_bytes(data[at + 16 : at + 18], "big"))
    if flags & _HAS_EXTENSIONS:
        at = _end_of_item(data, at)
    if at != len(data):
        raise _malformed()
    return data


def attested_data_of(text: str) -> bytes:
    """The authenticator data in an attestation object. Raises ``FieldProblem``."""
    raw = from_base64url(text)
    if _end_of_item(raw, 0) != len(raw):
        raise _malformed()
    try:
        decoded: Any = parse_cbor(raw)
        data: bytes = decoded["authData"]
        return authenticator_data_of(base64url.encode(data))
    except Exception:  # noqa: BLE001 - a map with two equal keys, no map, no such key, no bytes
        raise _malformed() from None


def _end_of_item(data: bytes, at: int, depth: int = 0) -> int:
    """Where the item of CBOR (RFC 8949, section 3) that begins at ``at`` ends.

    Raises ``FieldProblem`` for what authenticators may not send: tags, lengths that are not stated, deep nesting.
    """
    if at >= len(data) or depth > _MAX_DEPTH:
        raise _malformed()
    major, length = data[at] >> 5, data[at] & 31
    at += 1
    if major == 6 or length > 27:  # noqa: PLR2004 - tags; reserved, or not stated
        raise _malformed()
    if length > 23:  # noqa: PLR2004 - it is in the next one, two, four or eight bytes
        size = 1 << (length - 24)
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    if major in {2, 3}:  # bytes and texts
        at += length
    elif major in {4, 5}:  # lists, and maps, which have two items for each
        for _ in range(length * (major - 3)):
            at = _end_of_item(data, at, depth + 1)
    if at > len(data):
        raise _malformed()
    return at


def _malformed() -> FieldProblem:
    return FieldProblem(FieldCode.INVALID_FORMAT, "Must be what an authenticator makes, in canonical CBOR.")
