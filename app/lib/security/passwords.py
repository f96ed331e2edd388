"""Password hashing: argon2id with OWASP's parameters, off the event loop, in a bounded queue."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

import argon2
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

from app.lib.errors import Unavailable
from app.lib.security.opaque import new_secret

NO_PASSWORD = "!"  # noqa: S105 - marks that there is none; no hash of argon2 begins with it

P = ParamSpec("P")
R = TypeVar("R")


class PasswordHasher:
    """Hashes and verifies passwords as given: nothing is trimmed or cut off. Composed and decomposed spellings, which
    depend on the keyboard, are the same password (NIST SP 800-63B-4 section 3.1.1.2).

    ``memory_cost`` is in KiB; the defaults are OWASP's. At most ``max_concurrency`` hashes are computed at a
    time, each in a thread that holds that much memory; ``max_queue`` more may wait, and a call beyond that
    raises :class:`~app.lib.errors.Unavailable` (503) at once. One instance serves a process, whichever event
    loop calls it.
    """

    def __init__(
        self,
        *,
        time_cost: int = 2,
        memory_cost: int = 19_456,
        parallelism: int = 1,
        max_concurrency: int = 2,
        max_queue: int = 64,
    ) -> None:
        self._argon2 = argon2.PasswordHasher(time_cost, memory_cost, parallelism, type=argon2.Type.ID)
        # Threads of our own, and not a limiter around a shared pool: a limiter lets go when its task is
        # cancelled, while the thread (and its memory) works on, so that clients that hang up could start any
        # number of them.
        self._threads = ThreadPoolExecutor(max_concurrency, thread_name_prefix="password")
        self._room = BoundedSemaphore(max_concurrency + max_queue)

    async def hash(self, password: str) -> str:
        """Return an encoded argon2id hash (PHC string format).

        Raises ``ValueError`` for a string that no UTF-8 can carry (a lone surrogate), and ``Unavailable``
        when the queue is full.
        """
        return await self._in_thread(self._argon2.hash, composed(password).encode())

    async def verify(self, encoded: str, password: str) -> bool:
        """Tell whether ``password`` is the one behind ``encoded``. Raises ``Unavailable`` when the queue is full.

        A hash that cannot be read matches nothing, and finding that out takes as long as a mismatch. Where the composed
        spelling differs from what was typed, both are tried, for hashes that were made of a decomposed one.
        """
        return await self._in_thread(self._matches_any, encoded, _spellings(password))

    async def verify_dummy(self, password: str) -> None:
        """Take the time of a :meth:`verify`, for an account that does not exist or has no password.

        Raises ``Unavailable`` in the same situations, so that a full queue does not tell accounts apart.
        """
        await self._in_thread(self._hash_all, _spellings(password))  # a verification is one run for each, too

    def needs_rehash(self, encoded: str) -> bool:
        """Tell whether ``encoded`` was made with other parameters than this hasher's, or cannot be read."""
        try:
            return self._argon2.check_needs_rehash(encoded)
        except InvalidHashError:
            return True

    def _matches_any(self, encoded: str, spellings: list[bytes]) -> bool:
        """Tries all of them in any case, so that the time does not tell which one it was."""
        return any([self._matches(encoded, each) for each in spellings])  # noqa: C419 - all, not until the first

    def _hash_all(self, spellings: list[bytes]) -> None:
        for each in spellings:
            self._argon2.hash(each)

    def _matches(self, encoded: str, password: bytes) -> bool:
        try:
            return self._argon2.verify(encoded, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, ValueError):  # not a hash that argon2 can read
            self._argon2.hash(password)
            return False

    async def _in_thread(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if not self._room.acquire(blocking=False):
            raise Unavailable(retry_after=1)
        future = self._threads.submit(work, *args, **kwargs)
        future.add_done_callback(lambda _: self._room.release())
        try:
            return await asyncio.wrap_future(future)
        except HashingError as error:  # no memory for it right now
            raise Unavailable from error


def no_password() -> str:
    """What stands in place of a hash for an account without a password: nothing verifies against it, and finding that
    out takes as long as a mismatch. Each is another, because sessions are opened for the hash that was read.
    """
    return new_secret(NO_PASSWORD)


def has_password(encoded: str) -> bool:
    """Whether it is the hash of a password, and not :func:`no_password`."""
    return not encoded.startswith(NO_PASSWORD)


def composed(password: str) -> str:
    """The spelling of a password that is hashed: NFC."""
    return unicodedata.normalize("NFC", password)


def _spellings(password: str) -> list[bytes]:
    """Lone surrogates become octets that are no UTF-8, so no hash that we made matches them."""
    return [each.encode("utf-8", "surrogatepass") for each in dict.fromkeys([composed(password), password])]
