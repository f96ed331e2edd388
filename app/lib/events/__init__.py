"""One kind of event: a domain publishes what happened in its unit of work, and a listener says when it runs.

``await events.publish(unit, UserDeleted(…))`` runs the listeners of :func:`in_transaction` at once, stores the event
with a job for each listener of :func:`after_commit`, and calls those of :func:`in_every_process` after the commit.
``docs/decisions/0017-one-kind-of-event.md`` has the reasons.
"""

from app.lib.events.bus import Events
from app.lib.events.declaration import (
    Event,
    EventEnvelope,
    Hint,
    Listener,
    after_commit,
    event,
    in_every_process,
    in_transaction,
)
from app.lib.events.hints import HintsLost

__all__ = [
    "Event",
    "EventEnvelope",
    "Events",
    "Hint",
    "HintsLost",
    "Listener",
    "after_commit",
    "event",
    "in_every_process",
    "in_transaction",
]
