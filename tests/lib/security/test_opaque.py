import hashlib
import re

import pytest

from app.lib.security.opaque import digest, new_secret


def test_a_secret_is_43_characters_that_survive_links_and_double_clicks() -> None:
    assert re.fullmatch(r"[0-9A-Za-z]{43}", new_secret())


def test_a_prefix_comes_on_top() -> None:
    assert re.fullmatch(r"ldk_[0-9A-Za-z]{43}", new_secret("ldk_"))


def test_the_alphabet_and_length_hold_32_bytes_of_entropy() -> None:
    alphabet = set("".join(new_secret() for _ in range(200)))

    assert len(alphabet) ** 43 >= 2**256
    assert len({new_secret() for _ in range(200)}) == 200


def test_a_digest_is_sha256_of_the_whole_secret() -> None:
    assert digest("ldk_abc") == hashlib.sha256(b"ldk_abc").digest()
    assert digest("ldk_abc") != digest("abc")


@pytest.mark.parametrize("secret", ["", "\x00", "\ud800", "ü", "x" * 10_000])
def test_any_string_has_a_digest(secret: str) -> None:
    assert len(digest(secret)) == 32
