"""Events after the commit: what happened, kept in the transaction that made it happen, told to each listener by a job.

A domain declares an event with :func:`event`, records it with ``Outbox.record``, and listens with :func:`subscriber`,
exported in ``Domain(subscribers=…)``. What must happen in the same transaction is for :mod:`app.lib.events` instead.
"""

from app.lib.outbox.declaration import AnySubscriber, Event, Happened, Subscriber, event, subscriber
from app.lib.outbox.order import is_news
from app.lib.outbox.outbox import Outbox

__all__ = ["AnySubscriber", "Event", "Happened", "Outbox", "Subscriber", "event", "is_news", "subscriber"]
