"""Over LISTEN and NOTIFY."""

from app.lib.db.url import DatabaseURL
from app.lib.realtime.fanout.silent import SilentFanout


class PostgreSQLFanout(SilentFanout):
    """``url`` must lead to the server itself: LISTEN does not work through a pooler."""

    def __init__(self, url: DatabaseURL, *, topic: str = "realtime") -> None:
        self._url, self._topic = url, topic
