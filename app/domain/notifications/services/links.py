"""Links that unsubscribe from a topic with one click."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

from app.domain.notifications.dtos import Topic
from app.lib.wire import base64url

PATH = "/notifications/unsubscribe"
PREFIX = "/api/v1"

_ID_BYTES = 16
_TAG_BYTES = 16
_TOKEN_LENGTH = 43  # of 32 bytes in base64


class UnsubscribeLinks:
    """A token names a user and a topic, with a tag that proves that we made it. It does not expire.

    New ones are made with the first key, and all keys are good.
    """

    def __init__(self, base_url: str, key: bytes, fallbacks: Sequence[bytes] = ()) -> None:
        self._base_url = base_url
        self._keys = [key, *fallbacks]

    def url(self, user_id: UUID, topic: str) -> str:
        return f"{self._base_url}{PREFIX}{PATH}?token={self.token(user_id, topic)}"

    def token(self, user_id: UUID, topic: str) -> str:
        signed = user_id.bytes + _tag(self._keys[0], user_id.bytes, topic)
        return f"{topic}.{base64url.encode(signed)}"

    def read(self, token: str) -> tuple[UUID, Topic] | None:
        """The user and the topic; None for a token that we did not make."""
        topic, _, text = token.partition(".")
        if topic not in set(Topic) or len(text) != _TOKEN_LENGTH:
            return None
        try:
            signed = base64url.decode(text)
        except ValueError:
            return None
        user_id, tag = signed[:_ID_BYTES], signed[_ID_BYTES:]
        if not any(hmac.compare_digest(tag, _tag(key, user_id, topic)) for key in self._keys):
            return None
        return UUID(bytes=user_id), Topic(topic)


def _tag(key: bytes, user_id: bytes, topic: str) -> bytes:
    return hmac.digest(key, user_id + topic.encode(), sha256)[:_TAG_BYTES]
