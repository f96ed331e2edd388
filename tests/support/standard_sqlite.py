"""A pytest plugin (``-p tests.support.standard_sqlite``): Python's own SQLite serves, as where there is no wheel."""

import sys
from typing import Any, cast

cast("dict[str, Any]", sys.modules)["pysqlite3"] = None  # what is None there cannot be imported
