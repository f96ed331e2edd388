"""What is held on a user can be taken along: every table with a column that refers to users is in an export."""

import pytest
from sqlalchemy import Table, Uuid
from sqlalchemy.sql import visitors

from app.asgi import DOMAINS
from app.cli.scaffold.fields import OF_USERS, SECRET_WORDS
from app.lib.db.base import Base, metadata

PERSONAL = {*OF_USERS, "owner_id"}
LEFT_OUT = {
    "audit_inbox": "its rows are in audit_events within a second",
    "realtime_presence": "a row for each open socket",
    "recovery_codes": "digests of secrets, and nothing else",
    "provider_attempts": "digests of secrets that live minutes",
    "mfa_tokens": "digests of secrets that live minutes",
}
if "notifications" not in {domain.name for domain in DOMAINS}:
    LEFT_OUT["mails"] = "a table that is not there without notifications"
PARTS = [part for domain in DOMAINS for part in domain.exports]


def columns_of_users(table: Table) -> set[str]:
    """The columns that refer to a user, as a foreign key or by their name."""
    keys = {column.name for column in table.columns for key in column.foreign_keys if key.column.table.name == "users"}
    return keys | {each.name for each in table.columns if each.name in PERSONAL and isinstance(each.type, Uuid)}


def exports_of(table: Table) -> str:
    modules = {each.class_.__module__ for each in Base.registry.mappers if table in each.tables}
    return "/".join([*min(modules, default="app.domain").split(".")[:3], "exports.py"])


@pytest.mark.parametrize("table", [each for each in metadata.sorted_tables if columns_of_users(each)], ids=str)
def test_what_refers_to_users_is_exported(table: Table) -> None:
    """By each of these columns."""
    if table.name in LEFT_OUT:
        return
    asked = {
        str(each)
        for part in PARTS
        for clause in part.rows._where_criteria
        for each in visitors.iterate(clause)
        if each.__visit_name__ == "column"
    }

    missing = {f"{table.name}.{name}" for name in columns_of_users(table)} - asked
    assert not missing, f"add an export of {missing} to {exports_of(table)}, or {table} to LEFT_OUT of this file"


def test_no_secret_is_exported() -> None:
    shown = [f"{part.name}.{column.key}" for part in PARTS for column in part.rows.selected_columns]

    assert [name for name in shown if any(word in name for word in SECRET_WORDS)] == []
    assert len({part.name for part in PARTS}) == len(PARTS)
