"""The data of an event: JSON that every reader understands, and understands in the same way (I-JSON, RFC 7493)."""

import json
import math
from typing import Any

import msgspec

from app.lib.realtime.errors import InvalidData
from app.lib.realtime.frames import MAX_DATA_DEPTH, depth_of

_LEAST, _MOST = -(2**63), 2**63 - 1
_LONGEST = len(str(_LEAST))
HALF_A_SURROGATE = "Text has to be Unicode, without halves of surrogates."


def check_data(raw: bytes) -> None:
    """Raises ``InvalidData`` for integers beyond 64 bits, numbers beyond a double, members that are there twice,
    halves of surrogates, and what is nested deeper than :data:`.frames.MAX_DATA_DEPTH`.

    A reader that fails at such an event comes back, gets it again from the history, and fails again.
    """
    if depth_of(raw, MAX_DATA_DEPTH) > MAX_DATA_DEPTH:
        raise InvalidData(f"Data is nested {MAX_DATA_DEPTH} deep at most.")
    json.loads(raw, parse_int=_integer, parse_float=_number, object_pairs_hook=_members)
    try:
        msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise InvalidData(HALF_A_SURROGATE) from None


def _integer(text: str) -> int:
    if len(text) > _LONGEST or not _LEAST <= (number := int(text)) <= _MOST:
        raise InvalidData("An integer has 64 bits at most.")
    return number


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidData("A number is too large for a double.")
    return number


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidData("An object has a member twice.")
    return found
