from app.lib.jobs.heartbeats import Heartbeats

Watch = Heartbeats[str]


def looks(watch: Watch, *beats: int, first: float = 0.0) -> list[bool]:
    """Looks once a second; whether each look found the job stale."""
    return [bool(watch.stale({"job": each}, first + second)) for second, each in enumerate(beats)]


def test_who_gives_signs_of_life_is_alive() -> None:
    assert not any(looks(Watch(), *[i // 2 for i in range(100)]))


def test_who_gives_none_for_eight_seconds_is_lost() -> None:
    assert looks(Watch(), 0, 1, *[2] * 9) == [False] * 10 + [True]


def test_a_new_claim_starts_again() -> None:
    watch = Watch()
    looks(watch, *[0] * 8)

    assert not watch.stale({"other": 0}, 8)


def test_who_has_not_looked_knows_nothing() -> None:
    watch = Watch()
    looks(watch, *[0] * 8)

    assert looks(watch, *[0] * 9, first=60) == [False] * 8 + [True]
