"""PUBLIC_URL: where people reach the service."""

import pytest

from tests.support.environment import refusal, settings_from

HIDDEN = "correct-horse"


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HOST": "0.0.0.0", "PORT": "80"}, "http://127.0.0.1"),  # noqa: S104 - compared, not bound
        ({"HOST": "::"}, "http://127.0.0.1:8000"),
        ({"HOST": "::1"}, "http://[::1]:8000"),
        ({"HOST": "api.internal"}, "http://api.internal:8000"),
        ({"PUBLIC_URL": "https://api.example.com/"}, "https://api.example.com"),
        ({"PUBLIC_URL": "https://example.com", "HOST": "::1"}, "https://example.com"),
        ({"PUBLIC_URL": "https://Example.com:443/Team/lodestar-2.1/~x_/"}, "https://example.com/Team/lodestar-2.1/~x_"),
        ({"PUBLIC_URL": "http://[::1]:8080/..a/.b"}, "http://[::1]:8080/..a/.b"),
        ({"HOST": "fe80::1%eth0"}, "http://[fe80::1]:8000"),
        ({"PUBLIC_URL": "HTTPS://B\u00dcCHER.example:443/"}, "https://xn--bcher-kva.example"),
        ({"PUBLIC_URL": "https://stra\u00dfe.example:8443"}, "https://xn--strae-oqa.example:8443"),
        ({"PUBLIC_URL": "http://[2001:DB8:0::1]:80"}, "http://[2001:db8::1]"),
    ],
)
def test_the_base_url_is_where_people_reach_the_service(environ: dict[str, str], url: str) -> None:
    assert settings_from(ENVIRONMENT="test", **environ).base_url == url


@pytest.mark.parametrize(
    "text",
    [
        "ftp://api.example.com",
        "https://example.com/a b",
        "https://example.com/a%20b",
        "https://example.com//a",
        "https://example.com/a//",
        "https://example.com/../a",
        "https://example.com/a/.",
        'https://example.com/a"b',
        "https://example.com/{a}",
        "https://example.com/b\u00fccher",
        f"https://example.com/{'a' * 100}",
        "https:///a",
        "/a",
        "https://example.com?x=1",
        "https://example.com/a?x=1",
        "https://example.com/a#x",
        "https://example.com\\@evil.example",
        "https://-b\u00fccher-.example",
        "https://example.com:0",
        "https://example.com:99999",
        "https://example..com",
        "https://[::1",
        "//example.com",
        f"https://ann:{HIDDEN}@api.example.com",
    ],
)
def test_a_bad_public_url_is_refused_without_being_shown(text: str) -> None:
    message = refusal(PUBLIC_URL=text)

    assert message.startswith("PUBLIC_URL: expected ")
    assert HIDDEN not in message
