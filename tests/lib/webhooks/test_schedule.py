from datetime import timedelta

import pytest

from app.lib.webhooks.schedule import LONGEST_WAIT, RETRY_AFTER, next_delay

HOUR = 3600


def test_the_schedule_of_the_specification() -> None:
    seconds = [each.total_seconds() for each in RETRY_AFTER]

    assert seconds == [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]


@pytest.mark.parametrize("attempts", range(1, 10))
def test_waits_are_spread_by_up_to_a_fifth(attempts: int) -> None:
    planned = RETRY_AFTER[attempts - 1]
    waits = {next_delay(attempts) for _ in range(50)}

    assert len(waits) > 40
    assert all(wait is not None and planned <= wait <= planned * 1.2 for wait in waits)


def test_the_tenth_attempt_is_the_last() -> None:
    assert next_delay(10) is None
    assert next_delay(10, timedelta(seconds=1)) is None


def test_a_receiver_may_ask_for_more_time_and_for_no_less() -> None:
    assert next_delay(1, timedelta(minutes=10)) == timedelta(minutes=10)
    assert next_delay(1, timedelta(days=30)) == LONGEST_WAIT
    assert (next_delay(2, timedelta(seconds=1)) or timedelta()) >= timedelta(minutes=5)
