"""One test for many values."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

Check = Callable[[T], None]


def each(values: Iterable[T]) -> Callable[[Check[T]], Callable[[], None]]:
    """Checks all of them in one test, where pytest would take longer to begin and end a test for each than the check
    takes. A failure names the value.
    """

    listed = list(values)

    def decorate(check: Check[T]) -> Callable[[], None]:
        def test() -> None:
            for value in listed:
                try:
                    check(value)
                except BaseException as exc:
                    exc.add_note(f"with {value!r}")
                    raise

        test.__doc__ = check.__doc__
        return test

    return decorate
