from collections.abc import Iterator

import pytest
import time_machine

from app.lib.clock import utc_now


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands still, so that codes do not change while a test runs."""
    with time_machine.travel(utc_now(), tick=False) as traveller:
        yield traveller
