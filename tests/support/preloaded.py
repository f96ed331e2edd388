"""Loads what `app serve` and `app worker` load, without what would differ from process to process."""

import gc
from functools import cache
from importlib import import_module
from typing import Any

from app.cli import leave_out_unused

leave_out_unused()
for name in ("app.cli.serve", "app.cli.startup", "app.cli.worker"):
    import_module(name)

values = import_module("prometheus_client.values")
kind_of_value = cache(values.get_value_class)


def value(*arguments: Any, **options: Any) -> Any:
    """The library looks at its variable when it is imported; here it does so when the first value is made."""
    return kind_of_value()(*arguments, **options)


values.ValueClass = value  # type: ignore[attr-defined] # the module is looked up by name
gc.freeze()
