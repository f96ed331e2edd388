"""What alembic finds between the models and a database: in words, and in an order that both databases take."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any

from alembic.operations import ops
from sqlalchemy import Column, Dialect, ForeignKeyConstraint, Table
from sqlalchemy.types import TypeEngine


def in_words(found: Iterable[Any], dialect: Dialect) -> list[str]:
    """A line for each place, of what ``compare_metadata`` has found."""
    entries, lines = list(found), set[str]()
    whole_tables = {each[-1].name for each in entries if isinstance(each[-1], Table)}
    for each in entries:
        if isinstance(each, list):  # what has changed of a column
            lines.update(_changed(*part, dialect=dialect) for part in each)
            continue
        verb, item = each[0], each[-1]
        change, _, kind = verb.partition("_")
        table = each[2] if isinstance(item, Column) else item.name if isinstance(item, Table) else item.table.name
        place = f"{table}.{item.name}" if isinstance(item, Column) else table
        sides = [_shown(item, kind, dialect), f"no such {'foreign key' if kind == 'fk' else kind}"]
        if kind == "table" or table not in whole_tables:
            lines.add(_line(place, *(sides if change == "add" else reversed(sides))))
    return sorted(lines)


def _changed(
    verb: str, _schema: object, table: str, column: str, _kept: object, old: Any, new: Any, *, dialect: Dialect
) -> str:
    def shown(value: Any) -> str:
        if isinstance(value, TypeEngine):
            return value.compile(dialect)
        return ("NULL" if value else "NOT NULL") if verb == "modify_nullable" else repr(value)

    return _line(f"{table}.{column}", shown(new), shown(old))


def _shown(item: Any, kind: str, dialect: Dialect) -> str:
    if isinstance(item, Table):
        return "this table"
    if isinstance(item, Column):
        return item.type.compile(dialect)
    if isinstance(item, ForeignKeyConstraint):
        targets = ", ".join(each.target_fullname for each in item.elements)
        return f"a foreign key ({', '.join(item.column_keys)}) to {targets}"
    columns = (getattr(each, "name", each) for each in getattr(item, "expressions", item.columns))
    return f"the {kind} {item.name} ({', '.join(map(str, columns))})"


def _line(place: str, models: str, database: str) -> str:
    return f"{place}: the models have {models}, the database has {database}"


def stopped_by_rows(script: Any) -> list[str]:
    """A sentence for each change of a revision that fails on a table with rows in it, and what to do about it."""
    steps = script.upgrade_ops.ops
    made = {each.table_name for each in steps if isinstance(each, ops.CreateTableOp)}
    tables = [each for each in steps if isinstance(each, ops.ModifyTableOps) and each.table_name not in made]
    return [said for table in tables for each in table.ops if (said := _stopped(table.table_name, each))]


def _stopped(table: str, change: Any) -> str:
    match change:
        case ops.AddColumnOp(column=Column(nullable=False, server_default=None, computed=None, identity=None) as new):
            return (
                f"{table}.{new.name} is new, NOT NULL and without a default, which fails where {table} has rows: "
                "give it a server_default, or add it as nullable, fill it, and make it NOT NULL after that."
            )
        case ops.AlterColumnOp(modify_nullable=False, column_name=name):
            return f"{table}.{name} becomes NOT NULL, which fails where a row has NULL: fill those rows first."
        case ops.CreateIndexOp(unique=True, index_name=name) | ops.CreateUniqueConstraintOp(constraint_name=name):
            return f"{name} is unique, which fails where rows of {table} have the same values: change those rows first."
        case _:
            return ""


def drop_children_first(_context: object, _revision: object, scripts: list[Any]) -> None:
    """Drops tables at the end, each before those that it refers to: PostgreSQL refuses any other order, and
    alembic's own is that of a set. It is a ``process_revision_directives``.
    """
    for script in scripts:
        steps = script.upgrade_ops.ops
        drops = {each.table_name: each for each in steps if isinstance(each, ops.DropTableOp)}
        parents: dict[str, set[str]] = {}
        for name, each in drops.items():
            targets = {key.target_fullname.partition(".")[0] for key in each.to_table().foreign_keys}
            parents[name] = targets & drops.keys() - {name}
        try:
            order = list(TopologicalSorter(parents).static_order())
        except CycleError:  # to be broken by hand
            order = sorted(drops)
        others = [each for each in steps if not isinstance(each, ops.DropTableOp)]
        script.upgrade_ops.ops = [*others, *(drops[name] for name in reversed(order))]
        script.upgrade_ops.reverse_into(script.downgrade_ops)
