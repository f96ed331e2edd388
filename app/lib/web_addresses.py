"""What may stand where a setting wants a URL."""

from collections.abc import Collection
from urllib.parse import urlsplit

WEB_SCHEMES = frozenset({"http", "https"})


def is_url(text: str, schemes: Collection[str]) -> bool:
    """Whether it is a URL of one of these schemes, with a host (or the path of a Unix socket) and a good port."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and (parts.scheme == "unix" or bool(parts.hostname)) and port != 0


def origin_of(url: str) -> str:
    """Scheme, host and port in lower case, as browsers send it (RFC 6454 section 6.2)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def is_plain_address(url: str) -> bool:
    """Whether it is a web address without credentials, query and fragment."""
    return is_url(url, WEB_SCHEMES) and not set("?#@") & set(url) and url.isprintable() and " " not in url
