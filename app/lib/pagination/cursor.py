"""Opaque, tagged cursors: where a keyset walk goes on."""

import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import GenericAlias
from typing import Any

import msgspec

from app.lib.errors import InvalidCursor
from app.lib.pagination.envelope import MAX_CURSOR_LENGTH
from app.lib.wire import base64url

_VERSION = 1
_TAG_BYTES = 16
_PURPOSE = b"pagination.cursor"

_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")


class CursorCodec:
    """Writes cursors and reads back only those that it wrote for the same list.

    A cursor is base64url of an HMAC-SHA256 tag (128 bits of it) and a msgpack array of the key values. The tag also
    covers the version of the format and a *context*: resource, sort and filters, which the cursor itself does
    not hold. Nothing is encrypted, so sort keys must be values that the caller may see.

    ``fallbacks`` are former secrets: cursors made with them are still read.
    """

    def __init__(self, secret: bytes, fallbacks: Sequence[bytes] = ()) -> None:
        # A key of its own, so that a tag is of no use wherever else the secret signs something.
        self._keys = [hmac.digest(each, _PURPOSE, "sha256") for each in (secret, *fallbacks)]

    def encode(self, context: bytes, values: Sequence[object]) -> str:
        """The cursor that goes on after the row with these key values."""
        payload = _encoder.encode(values)
        return base64url.encode(_tag(self._keys[0], context, payload) + payload)

    def decode(self, context: bytes, cursor: str, types: tuple[Any, ...]) -> tuple[Any, ...]:
        """The key values, each of its type in ``types``. Raises ``InvalidCursor`` for any fault."""
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise InvalidCursor
        try:
            raw = base64url.decode(cursor)
            tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
            if any(hmac.compare_digest(tag, _tag(key, context, payload)) for key in self._keys):
                return _decoder(types).decode(payload)
        except (ValueError, msgspec.DecodeError):  # the latter: written before the type of a key changed
            raise InvalidCursor from None
        raise InvalidCursor


def cursor_context(resource: str, order: str, filters: Mapping[str, Sequence[object]]) -> bytes:
    """Canonical bytes of what a cursor is good for; neither the order of filters nor of their values matters."""
    canonical = [[name, sorted(map(_encoder.encode, filters[name]))] for name in sorted(filters)]
    return _encoder.encode([resource, order, canonical])


def _tag(key: bytes, context: bytes, payload: bytes) -> bytes:
    # An array of byte strings, each with its length: no two triples have the same bytes.
    return hmac.digest(key, _encoder.encode((_VERSION, context, payload)), "sha256")[:_TAG_BYTES]


@lru_cache(maxsize=256)
def _decoder(types: tuple[Any, ...]) -> msgspec.msgpack.Decoder[tuple[Any, ...]]:
    return msgspec.msgpack.Decoder(GenericAlias(tuple, types))
