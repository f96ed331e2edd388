"""Order for listeners that need it: what is older than what they have seen is dropped."""

from typing import Any

from app.lib.db.base import table_of
from app.lib.db.statements import affected, insert_into
from app.lib.db.uow import UnitOfWork
from app.lib.outbox.declaration import Happened
from app.lib.outbox.tables import ListenerMark

_marks = table_of(ListenerMark)


async def is_news(unit: UnitOfWork, listener: str, happened: Happened[Any]) -> bool:
    """Whether the event's aggregate version is newer than any that this listener has seen, and notes it.

    Call it first in the listener's own unit of work and do nothing when it is false: the event is a repetition, or
    was overtaken by a later one. Two jobs of one aggregate wait for each other here until the first has committed.
    """
    event = happened.event
    statement = insert_into(unit.session, _marks).values(
        listener=listener,
        aggregate_type=event.aggregate_type,
        aggregate_id=event.aggregate_id,
        version=event.aggregate_version,
    )
    result = await unit.session.execute(
        statement.on_conflict_do_update(
            index_elements=[_marks.c.listener, _marks.c.aggregate_id, _marks.c.aggregate_type],
            set_={"version": statement.excluded.version},
            where=_marks.c.version < statement.excluded.version,
        )
    )
    return affected(result) == 1
