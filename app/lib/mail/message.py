"""What goes out: a typed mail, and the message (RFC 5322) that it becomes.

Nothing that comes from people can add a header: control characters and line breaks are refused wherever they would
stand in one, and what is not ASCII is encoded (RFC 2047, IDNA; RFC 6532 where a local part leaves no other way).
"""

import hashlib
import re
import unicodedata
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, getaddresses
from typing import Self

import msgspec

from app.lib.mail.headers import header_factory
from app.lib.security.emails import InvalidEmail, to_wire

_MAX_SUBJECT = 255
_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # formatting characters that names and emoji are made with
MAIL_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_ONE_MAILBOX = re.compile(r"[^<>]*<[^<>\s]+>\s*|[^<>\s]+")
_LOCAL = re.compile(r"(?=.{1,64}\Z)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.IGNORECASE)
_URL = re.compile(r"https?://[!#-;=?-~]{1,900}")


class UnsafeHeader(ValueError):
    """A value that may not stand in a header. The message names the header and never repeats the value."""

    def __init__(self, header: str) -> None:
        super().__init__(f"The mail's {header} cannot be written into a header.")


class Mailbox(msgspec.Struct, frozen=True):
    """An address and perhaps the name that is shown with it.

    Raises :class:`UnsafeHeader` for what is no address, and for a name with control characters.
    """

    address: str
    name: str = ""

    def __post_init__(self) -> None:
        _check_line("name", self.name)
        self.wire()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``Name <local@domain>`` or an address alone. Raises :class:`UnsafeHeader`."""
        _check_line("address", text)
        found = getaddresses([text])
        if len(found) != 1 or not _ONE_MAILBOX.fullmatch(text):
            raise UnsafeHeader("address")
        [(name, address)] = found
        return cls(address, name)

    def wire(self) -> str:
        """The address as it goes over the wire: the domain in ASCII (IDNA)."""
        local, _, domain = self.address.rpartition("@")
        if _LOCAL.fullmatch(local) and MAIL_DOMAIN.fullmatch(domain.lower()):
            return f"{local}@{domain.lower()}"
        try:
            return to_wire(self.address)
        except InvalidEmail:
            raise UnsafeHeader("address") from None

    @property
    def domain(self) -> str:
        """The part after the ``@``, in ASCII."""
        return self.wire().rpartition("@")[2]

    def header(self) -> Address:
        local, _, domain = self.wire().rpartition("@")
        return Address(self.name, local, domain)


class OutgoingMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to one person, ready to be sent.

    ``unsubscribe_url`` is for what is not essential: mail programs then offer one click (RFC 8058), and the URL has
    to answer a POST of ``List-Unsubscribe=One-Click`` without a sign-in. Raises :class:`UnsafeHeader`.
    """

    sender: Mailbox
    to: Mailbox
    subject: str
    text: str
    html: str
    locale: str
    message_id: str
    date: datetime
    unsubscribe_url: str | None = None

    def __post_init__(self) -> None:
        _check_line("subject", self.subject)
        if not self.subject or len(self.subject) > _MAX_SUBJECT:
            raise UnsafeHeader("subject")
        if self.unsubscribe_url is not None and not _URL.fullmatch(self.unsubscribe_url):
            raise UnsafeHeader("unsubscribe URL")

    @property
    def needs_smtputf8(self) -> bool:
        """Whether an address has a local part beyond ASCII, which only some servers take (RFC 6531)."""
        return not (self.sender.wire() + self.to.wire()).isascii()

    def message(self) -> EmailMessage:
        """The message: text and HTML as alternatives, everything in seven bits but such a local part."""
        message = EmailMessage(policy=_UTF8 if self.needs_smtputf8 else _ASCII)
        message["From"] = self.sender.header()
        message["To"] = self.to.header()
        message["Subject"] = self.subject
        message["Date"] = format_datetime(self.date)
        message["Message-ID"] = self.message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to this
        if self.unsubscribe_url is not None:
            message["List-Unsubscribe"] = f"<{self.unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(self.text, cte="quoted-printable")
        message.add_alternative(self.html, subtype="html", cte="quoted-printable")
        message["Content-Language"] = self.locale  # not earlier: set_content removes what is called Content-…
        message.set_boundary(f"={hashlib.sha256(self.message_id.encode()).hexdigest()[:32]}=")
        return message

    def encoded(self) -> bytes:
        """The message with the line ends of SMTP; the same bytes for the same mail."""
        return self.message().as_bytes()


def message_id(kind: str, business_id: str, host: str) -> str:
    """The same for the same mail, so that a receiver who gets it twice may drop one (RFC 5322 section 3.6.4)."""
    digest = hashlib.sha256(f"{kind}\n{business_id}".encode()).hexdigest()[:40]
    return f"<{digest}@{host}>"


_ASCII = EmailPolicy(linesep="\r\n", cte_type="7bit", header_factory=header_factory())
_UTF8 = EmailPolicy(linesep="\r\n", cte_type="7bit", utf8=True, header_factory=header_factory())


def _check_line(header: str, text: str) -> None:
    if any(unicodedata.category(char) in _FORBIDDEN and char not in _JOINERS for char in text):
        raise UnsafeHeader(header)
