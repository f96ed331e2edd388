import msgspec

from app.lib.signals import Signals


class Moved(msgspec.Struct, frozen=True):
    to: str


class Stopped(msgspec.Struct, frozen=True):
    pass


def test_receivers_get_the_signals_of_their_kind_in_order() -> None:
    signals = Signals()
    heard: list[str] = []
    signals.connect(Moved, lambda signal: heard.append(f"first {signal.to}"))
    signals.connect(Moved, lambda signal: heard.append(f"second {signal.to}"))
    signals.connect(Stopped, lambda _: heard.append("stopped"))

    signals.emit(Moved("here"))
    signals.emit(Stopped())

    assert heard == ["first here", "second here", "stopped"]


def test_a_signal_that_nobody_awaits_is_no_error() -> None:
    Signals().emit(Stopped())
