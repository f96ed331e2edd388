"""Which tables this process has written to, for what it remembers of them."""

from collections.abc import Iterable


class Writes:
    """Numbers the commits of a process and keeps each table's last one."""

    def __init__(self) -> None:
        self.number = 0
        self._last: dict[str, int] = {}

    def record(self, tables: Iterable[str]) -> None:
        """Called after a commit, before its caller goes on."""
        self.number += 1
        for table in tables:
            self._last[table] = self.number

    def happened_since(self, number: int, tables: Iterable[str]) -> bool:
        """Whether one of the tables was written to after the commit of that number."""
        last = self._last
        for table in tables:  # noqa: SIM110 - any() takes four times as long, and each remembered answer asks
            if last.get(table, 0) > number:
                return True
        return False
