"""Passwords of accounts: what is accepted, and how it is kept."""

from collections.abc import Iterable

from app.lib.errors import FieldError, ValidationFailed
from app.lib.security.password_policy import PasswordPolicy
from app.lib.security.passwords import PasswordHasher


class Passwords:
    """The policy and the hasher, which belong together: nothing is hashed that was not accepted."""

    def __init__(self, hasher: PasswordHasher, policy: PasswordPolicy) -> None:
        self.hasher = hasher
        self.policy = policy

    async def accept(
        self,
        password: str,
        *,
        pointer: str,
        email: str,
        name: str | None = None,
        username: str | None = None,
        others: Iterable[FieldError] = (),
    ) -> str:
        """The hash of a new password. Raises ``ValidationFailed`` with everything that is wrong with it.

        ``others`` are errors of the same request that are known already: one refusal names them all.
        Call it before the transaction begins: hashing takes milliseconds, and SQLite has one writer.
        """
        flaws = self.policy.check(password, email=email, name=name, username=username)
        if errors := [*others, *(flaw.at(pointer) for flaw in flaws)]:
            raise ValidationFailed(errors)
        return await self.hasher.hash(password)
