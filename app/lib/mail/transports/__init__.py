"""The ways a mail can leave."""

from typing import Literal, Protocol

from app.lib.mail.message import OutgoingMail

SMTPSecurity = Literal["none", "starttls", "implicit"]
"""In the clear, TLS that is asked for with STARTTLS and insisted on, or TLS from the first byte."""


class NotSent(Exception):
    """``reason`` is for operators: a line without secrets, perhaps in the words of the other server."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = "".join(char if char.isprintable() else " " for char in reason)[:500]


class TemporaryFailure(NotSent):
    """It may work later: no connection, no answer in time, an answer of 4xx, or a fault on our side of the wire."""


class PermanentFailure(NotSent):
    """It will never work: an answer of 5xx to the sender, the recipient or the message."""


class Transport(Protocol):
    """Sends one mail at a time; calls may overlap."""

    name: str

    async def send(self, mail: OutgoingMail) -> None:
        """Returns once another server is responsible for it. Raises ``TemporaryFailure`` or ``PermanentFailure``."""
        ...

    async def close(self) -> None:
        """Lets go of what is held."""
        ...
