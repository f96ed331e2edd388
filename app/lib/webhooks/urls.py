"""Which URLs may be registered as the receiver of webhooks."""

from urllib.parse import urlsplit

from app.lib.errors import FieldCode
from app.lib.settings import WEB_SCHEMES, is_url
from app.lib.wire.decoding import FieldProblem
from app.lib.wire.fields import check_public_https_url

_HTTPS = 443
_FIRST_UNPRIVILEGED = 1024


def check_receiver_url(url: str, *, allow_private: bool) -> None:
    """Raises ``FieldProblem`` unless it is https, without credentials and fragment, with a public domain name, and on
    port 443 or from 1024: the ports below are where mail, name and file servers listen, which have no use for HTTP.

    ``allow_private`` is for development and tests, and allows http, addresses and local names on any port.

    A name says nothing about where it leads: that is checked again whenever a connection is made.
    """
    if "#" in url:
        raise FieldProblem(FieldCode.INVALID_FORMAT, "Must not have a fragment.")
    if allow_private:
        if not is_url(url, WEB_SCHEMES) or "@" in urlsplit(url).netloc:
            raise FieldProblem(FieldCode.INVALID_FORMAT, "Must be an http or https URL without credentials.")
        return
    check_public_https_url(url)
    port = urlsplit(url).port
    if port not in {None, _HTTPS} and (port or 0) < _FIRST_UNPRIVILEGED:
        raise FieldProblem(FieldCode.INVALID_FORMAT, "The port must be 443, or 1024 and above.")
