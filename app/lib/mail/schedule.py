"""When a mail that could not be sent is tried again."""

import random
from datetime import timedelta

LIFETIME = timedelta(days=1)
"""How long a mail is tried before it is given up."""

_EAGER = timedelta(minutes=10)
_EAGER_SECONDS = 10.0
_SHARE_OF_AGE = 20
_LONGEST = 3600.0


def retry_delay(age: timedelta) -> timedelta | None:
    """How long to wait after a failure of a mail that is ``age`` old; None when it has been tried for a day.

    About ten seconds in the first ten minutes (never more than 15), so that mail comes right after a server is back;
    then a twentieth of the age, up to an hour. A fifth of chance is in it, so that what failed together does not
    come back together. A clock that was set back makes no age negative.
    """
    if age >= LIFETIME:
        return None
    seconds = _EAGER_SECONDS if age < _EAGER else min(age.total_seconds() / _SHARE_OF_AGE, _LONGEST)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the load, no secret
