from collections.abc import Iterator, Sequence

import pytest
import time_machine

from app.domain.accounts import accounts
from app.domain.auth import auth
from app.lib.clock import utc_now
from app.lib.domain import Domain


@pytest.fixture
def domains() -> Sequence[Domain]:
    """What most tests of this folder need."""
    return (accounts, auth)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands still, so that codes do not change while a test runs."""
    with time_machine.travel(utc_now(), tick=False) as traveller:
        yield traveller
