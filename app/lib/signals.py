"""Signals inside a process: a committed write tells caches what is no longer true."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


class Signals:
    """Who wants to know of which signal. Receivers are quick, synchronous and do not fail."""

    def __init__(self) -> None:
        self._receivers: dict[type[msgspec.Struct], list[Callable[[Any], None]]] = defaultdict(list)

    def connect(self, kind: type[S], receiver: Callable[[S], None]) -> None:
        """Calls ``receiver`` with every signal of this kind."""
        self._receivers[kind].append(receiver)

    def disconnect(self, kind: type[S], receiver: Callable[[S], None]) -> None:
        """Ends what :meth:`connect` began; nothing happens when it did not."""
        if receiver in self._receivers[kind]:
            self._receivers[kind].remove(receiver)

    def emit(self, signal: msgspec.Struct) -> None:
        """Tells the receivers."""
        for receive in self._receivers.get(type(signal), ()):
            receive(signal)
