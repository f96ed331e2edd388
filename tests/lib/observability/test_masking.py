"""Secrets of the settings in text, as encoders write them."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest

from app.environment import secrets_in
from app.lib.observability import masking
from app.lib.observability.masking import MASK, hide, mask
from app.lib.settings import Secret


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking._Hidden, "secrets", frozenset())


def encodings(secret: str) -> Iterator[str]:
    """As libraries write it into the text of an error, once or twice."""
    data = secret.encode()
    once = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), data.hex()}
    once |= {repr(secret)[1:-1], repr(data)[2:-1], json.dumps(secret)[1:-1], secret.encode("unicode_escape").decode()}
    yield from (*once, html.escape(secret))
    yield from (form for text in once for form in (repr(text)[1:-1], json.dumps(text)[1:-1], quote(text, safe="")))
    for before in ("", "u", "user:", "me@:"):
        for after in ("", "@host"):
            whole = f"{before}{secret}{after}".encode()
            yield from (b64encode(whole).decode(), urlsafe_b64encode(whole).decode())


@pytest.mark.asvs("16.2.5", "16.5.1")
@pytest.mark.parametrize(
    "secret", ["plain0123456789", 'p@ss/w:rd "q" é\\x&<é😀+', "two\nlines\t1", "Zm9v+/x9ABC==", "******", "Größe-6"]
)
def test_however_it_is_written(secret: str) -> None:
    hide([secret])

    for form in encodings(secret):
        shown = mask(f"x ={form}= y")
        assert MASK in shown, form
        assert shown.startswith("x =")
        assert len(shown) < 40, shown  # all of it, but for what is around it in base64


def test_short_values_do_not_blank_out_everything() -> None:
    hide(["a", "", "admin", "longer"])

    assert mask("admin has a longer name") == f"admin has a {MASK} name"


def test_what_is_secret_in_a_setting() -> None:
    settings = (
        Secret('[{"name": "github", "client_id": "us-and-them", "client_secret": "oidc-hunter2"}]'),
        Secret("https://sentry-key@reports.example.com/1"),
        Secret("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n"),
        Secret("no url://[at all"),
        "postgresql+asyncpg://shop:hunter%212@db.example.com/shop",
        "postgresql+asyncpg://lodestar:lodestar@db.example.com/lodestar",
        "sqlite+aiosqlite:///data/lodestar.db",
    )
    hide(secrets_in(settings))

    text = "github us-and-them oidc-hunter2 sentry-key reports.example.com MC4CAQAwBQYDK2VwBCIEIA hunter!2 hunter%212"
    assert mask(text) == f"github us-and-them {MASK} {MASK} reports.example.com {MASK} {MASK} {MASK}"
    assert mask("lodestar.db lodestar:lodestar@db data") == f"lodestar.db {MASK}@db data"
