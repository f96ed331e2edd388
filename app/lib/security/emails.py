"""E-mail identity: when two spellings are the same address, and which strings are addresses at all."""

import hashlib

import email_validator

from app.lib.text import casefold_key

# Whether mail arrives is found out by sending some. The special names are in use where this software is:
# `.local` on company networks, `.test` in tests. This is the switch that the package's manual names.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_MAX_LENGTH = 254  # RFC 5321 section 4.5.3.1.3 less the angle brackets; octets of an address, characters of a key
_MAX_TYPED = 1_024  # nothing longer is normalised: reordering combining marks takes quadratic time


class InvalidEmail(ValueError):
    """Not an address. The message is for people and never repeats the value."""

    def __init__(self) -> None:
        super().__init__("This is not a valid e-mail address.")


def email_key(value: str) -> str:
    """What is unique and looked up of an address: the local part folded, the domain in lower-case ASCII (IDNA, UTS 46).

    Accepts what RFC 5321 and RFC 6531 call a dot-string at a domain of at least two labels, up to 254 octets
    (64 characters before the ``@``); quoted local parts, address literals, display names, white space and
    control characters are refused with :class:`InvalidEmail`. No DNS is asked. The key is an address itself,
    and its own key.
    """
    local, domain = _parse(value)
    key = f"{casefold_key(local)}@{domain}"
    if key != value:
        _parse(key)  # compatibility forms of "@" or a space become the real ones only now
    return key


def to_wire(value: str) -> str:
    """Return an address as mail servers take it: the local part as typed, the domain in ASCII (IDNA).

    Raises :class:`InvalidEmail` for what :func:`email_key` refuses.
    """
    local, domain = _parse(value)
    return f"{local}@{domain}"


def lookup_key(value: str) -> str:
    """Return the key under which an account is looked up and its sign-ins are counted. Never raises.

    Takes any text that was typed as the name at sign-in: an address gives its :func:`email_key`, anything
    else (a username, nonsense) is folded, and what no account could have gives a digest. White space around it
    is dropped. The result has at most 254 printable characters, and is its own key.
    """
    if len(value) > _MAX_TYPED:
        return _digest(value)
    typed = value.strip()
    folded = casefold_key(typed).strip()
    for candidate in (typed, folded):
        try:
            return email_key(candidate)
        except InvalidEmail:
            continue
    # Not printable: control characters and lone surrogates, which no database or log would take.
    return folded if len(folded) <= _MAX_LENGTH and folded.isprintable() else _digest(value)


def _parse(value: str) -> tuple[str, str]:
    """Return the local part and the ASCII domain of a valid address."""
    if len(value) > _MAX_LENGTH:
        raise InvalidEmail
    try:
        parsed = email_validator.validate_email(value, check_deliverability=False, strict=True)
    except ValueError as error:
        raise InvalidEmail from error
    return value.rpartition("@")[0], parsed.ascii_domain


def _digest(value: str) -> str:
    return "#" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
