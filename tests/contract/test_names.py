"""Names in the OpenAPI document."""

import re

from tests.contract.routes import DOCUMENT


def test_instants_end_in_at_and_what_is_done_again_is_retried() -> None:
    schemas = [each.get("properties", {}) for each in DOCUMENT["components"]["schemas"].values()]
    instants = {name for each in schemas for name, schema in each.items() if schema.get("format") == "date-time"}
    operations = [each["operationId"] for item in DOCUMENT["paths"].values() for each in item.values()]
    again = re.compile("resend|replay|rerun", re.IGNORECASE)

    assert len(instants) > 10
    others = {name for name in instants if not name.endswith("_at")}
    assert not others, f"instants end in _at, as created_at does: rename {others}"
    repeated = [name for name in (*operations, *DOCUMENT["paths"]) if again.search(name)]
    assert not repeated, f"what is done again is retried: rename {repeated}"
