"""Counters for modules that count and know no metrics.

They need no library: that one looks at its environment when it is imported, and ``app serve`` imports some of these
modules before it knows what to set there.
"""

from collections import Counter

COUNTERS: "list[ProcessCounter]" = []
"""All that are declared."""


class ProcessCounter:
    """A metric of the process; make it at import. Labels have few values, and never a user's data."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: Counter[tuple[str, ...]] = Counter()
        COUNTERS.append(self)

    def add(self, *labels: str) -> None:
        """Counts one."""
        self.values[labels] += 1
