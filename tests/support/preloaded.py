"""Loads what `app serve` and `app worker` load, without what would differ from process to process."""

import gc
import sys
from functools import cache
from typing import Any

for unused in ("rich", "pygments", "pydantic"):  # as `app` itself does
    sys.modules[unused] = None  # type: ignore[assignment]

from prometheus_client import values  # noqa: E402

import app.cli.serve  # noqa: E402
import app.cli.startup  # noqa: E402
import app.cli.worker  # noqa: E402, F401

_values = cache(values.get_value_class)


def _of_this_process(*arguments: Any, **options: Any) -> Any:
    """The library looks at its variable when it is imported; here it does so when the first value is made."""
    return _values()(*arguments, **options)


values.ValueClass = _of_this_process
gc.freeze()
