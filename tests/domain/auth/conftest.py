from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands still until it is moved, so that no window of a limit ends by itself."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock
