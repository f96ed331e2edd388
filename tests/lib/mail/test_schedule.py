"""When a mail is tried again."""

from datetime import timedelta

from app.lib.mail.schedule import LIFETIME, retry_delay


def delays(age: timedelta) -> list[float]:
    found = [retry_delay(age) for _ in range(300)]
    return sorted(delay.total_seconds() for delay in found if delay is not None)


def test_the_first_ten_minutes_are_eager() -> None:
    for minutes in (-60, 0, 5, 9.99):
        found = delays(timedelta(minutes=minutes))
        assert len(found) == 300
        assert 5 < found[0] < found[-1] <= 15


def test_then_it_backs_off_up_to_an_hour() -> None:
    medians = [delays(timedelta(minutes=minutes))[150] for minutes in (10, 60, 600, 1400)]

    assert medians == sorted(medians)
    assert medians[0] > 25
    assert delays(timedelta(hours=23))[-1] <= 3600 * 1.2


def test_after_a_day_it_is_given_up() -> None:
    assert retry_delay(LIFETIME) is None
    assert retry_delay(LIFETIME + timedelta(days=30)) is None
    assert delays(LIFETIME - timedelta(seconds=1))


def test_a_day_of_failures_is_a_bounded_number_of_attempts() -> None:
    age, attempts = timedelta(), 0
    while (delay := retry_delay(age)) is not None:
        age, attempts = age + delay, attempts + 1

    assert 100 < attempts < 200
