import pytest

from app.lib.webhooks.urls import check_receiver_url
from app.lib.wire.decoding import FieldProblem

pytestmark = pytest.mark.asvs("1.3.6")

BAD_EVERYWHERE = [
    "ftp://example.com/", "https://", "https://user@example.com/", "https://user:word@example.com/",
    "https://example.com/#part", "https://example.com:0/", "https://example.com:99999/", "javascript:alert(1)",
    "https://[::1/",
]  # fmt: skip
BAD_ON_THE_INTERNET = [
    "http://example.com/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/",
    "https://0x7f.1/", "https://10.0.0.1/", "https://printer.local/", "https://db.internal/", "https://intranet/",
    "https://example.com:22/", "https://example.com:25/", "https://example.com:80/", "https://example.com:1023/",
    "https://93.184.215.14/",
]  # fmt: skip


@pytest.mark.parametrize("url", [*BAD_EVERYWHERE, *BAD_ON_THE_INTERNET])
def test_what_is_not_called(url: str) -> None:
    with pytest.raises(FieldProblem):
        check_receiver_url(url, allow_private=False)


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "https://example.com:443/in", "https://example.com:8443/in?token=1",
     "https://xn--mnchen-3ya.example/in", "https://example.com:1024/"],
)  # fmt: skip
def test_what_is_called(url: str) -> None:
    check_receiver_url(url, allow_private=False)


@pytest.mark.parametrize("url", BAD_EVERYWHERE)
def test_what_is_not_called_in_development_either(url: str) -> None:
    with pytest.raises(FieldProblem):
        check_receiver_url(url, allow_private=True)


@pytest.mark.parametrize(
    "url", ["http://localhost:3000/in", "http://127.0.0.1:80/", "https://[::1]:8443/", "http://intranet/"]
)
def test_what_is_called_in_development(url: str) -> None:
    check_receiver_url(url, allow_private=True)
