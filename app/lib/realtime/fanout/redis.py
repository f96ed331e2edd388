"""Over the publish/subscribe of Redis or Valkey."""

from app.lib.realtime.fanout.silent import SilentFanout


class RedisFanout(SilentFanout):
    """``url``: ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``."""

    def __init__(self, url: str, *, key_prefix: str = "realtime:") -> None:
        self._url, self._key_prefix = url, key_prefix
