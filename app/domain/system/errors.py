from collections.abc import Sequence
from typing import Any

import msgspec

from app.lib.errors import Unavailable


class NotReady(Unavailable):
    """The service should get no traffic; ``checks`` says what of it fails, and what to do."""

    def __init__(self, checks: Sequence[Any]) -> None:
        hints = [check.hint for check in checks if check.hint is not None]
        super().__init__(" ".join(hints))
        self.extensions = {"checks": msgspec.to_builtins(checks)}
