"""Strings by key that other systems keep with a resource, such as its id there. They are not searched."""

from typing import Annotated, Final

from msgspec import Meta

from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.wire.decoding import Hint
from app.lib.wire.fields import END, UNFIT, TextLines

MAX_KEYS: Final = 50
MAX_KEY: Final = 40
MAX_VALUE: Final = 500

_Key = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_KEY, pattern=rf"^[^{UNFIT}]+{END}", examples=["crm_id"]),
    Hint("Must not have control characters."),
]
_Value = Annotated[TextLines, Meta(max_length=MAX_VALUE)]
_EXAMPLES: Final = [{"crm_id": "C-1042"}]

Metadata = Annotated[dict[_Key, _Value], Meta(max_length=MAX_KEYS, examples=_EXAMPLES)]
"""All of it, as creations take it and answers have it."""

MetadataPatch = Annotated[
    dict[_Key, _Value | None],
    Meta(
        max_length=2 * MAX_KEYS,
        description=f"A merge patch: null deletes a key. At most {MAX_KEYS} may be left.",
        examples=_EXAMPLES,
    ),
]


def merge_metadata(current: dict[str, str], patch: dict[str, str | None] | None) -> dict[str, str]:
    """The metadata after a merge patch (RFC 7396): null deletes all of it. Raises ``ValidationFailed``."""
    if patch is None:
        return {}
    merged = {key: value for key, value in {**current, **patch}.items() if value is not None}
    if len(merged) > MAX_KEYS:
        detail = f"Must have at most {MAX_KEYS} keys in all."
        raise ValidationFailed([FieldError(pointer="/metadata", code=FieldCode.TOO_LONG, detail=detail)])
    return merged
