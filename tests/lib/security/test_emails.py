import string

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from hypothesis.provisional import domains

from app.lib.security.emails import InvalidEmail, email_key, lookup_key
from app.lib.text import casefold_key

pytestmark = pytest.mark.asvs("1.1.1")

# Characters whose folding takes several rounds, grows, shrinks or makes syntax out of letters.
AWKWARD = (
    "ǅßẞİıſΣς\u0345ﬁ℀ﷺ…\uff20\uff0e。﹫\uff21\uff22"
    "\u00a0\u2003\u200d\ufe0f\u0301\u0316ⅷ①ª\u1e9bᾳΐ\u037a\u03f4Å@.+\"' \t\n\x00\ud800"
)
texts = st.text() | st.text(st.sampled_from(AWKWARD + "ab")) | st.emails()
addresses = st.builds(
    "{}@{}".format,
    st.text(
        st.sampled_from("ǅßẞİıſΣςﬁ\uff21ⅷªΐÅ" + string.ascii_letters) | st.characters(categories=["L", "N"]), min_size=1
    ),
    st.sampled_from(["example.test", "EXAMPLE.Test", "bücher.example", "straße.example", "日本語。例え"]) | domains(),
)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("ada@example.test", "ada@example.test"),
        ("Ada.Lovelace@Example.TEST", "ada.lovelace@example.test"),
        ("ada+tag@example.com", "ada+tag@example.com"),
        ("o'neill@example.com", "o'neill@example.com"),
        ("\uff41\uff44\uff41@example.com", "ada@example.com"),
        ("ﬁona@example.com", "fiona@example.com"),
        ("cafe\u0301@example.com", "caf\u00e9@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("straße@example.com", "strasse@example.com"),
        ("ΟΔΟΣ@example.com", "οδοσ@example.com"),
        ("οδος@example.com", "οδοσ@example.com"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@example。com", "ada@example.com"),
        ("ada@\uff25\uff38\uff21\uff2d\uff30\uff2c\uff25.com", "ada@example.com"),
        ("ada@server.local", "ada@server.local"),
        ("ada@mail.localhost", "ada@mail.localhost"),
        ("ada@example.invalid", "ada@example.invalid"),
    ],
)
def test_an_address_has_one_key(typed: str, key: str) -> None:
    assert email_key(typed) == key
    assert lookup_key(typed) == key


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@localhost",
        "ada@example",
        "ada@example.com.",
        "ada@.example.com",
        "ada@exa mple.com",
        "ada@-example.com",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
        "ada@[IPv6:::1]",
        "ada@exam_ple.com",
        "ada@xn--a.com",
        "ada@@example.com",
        "ada@b@example.com",
        ".ada@example.com",
        "ada.@example.com",
        "ad..a@example.com",
        '"ada"@example.com',
        '"ada lovelace"@example.com',
        "Ada <ada@example.com>",
        "<ada@example.com>",
        "ada@example.com (Ada)",
        "ada@example.com,bob@example.com",
        " ada@example.com",
        "ada@example.com ",
        "ada@example.com\n",
        "ada\n@example.com",
        "ada@example.com\r\nBcc: bob@example.com",
        "ada\r\nBcc:bob@example.com",
        "ada\x00@example.com",
        "ada@example.com\x00",
        "ada\x7f@example.com",
        "ada\x85@example.com",
        "ada\u2028@example.com",
        "ada\u202e@example.com",
        "ada\u200b@example.com",
        "ada\u00a0b@example.com",
        "ada\ud800@example.com",
        "ada@exam\ud800ple.com",
        "ada\uff20example.com",
        "a\uff20b@example.com",  # would have two "@" once folded
        "a…b@example.com",  # would have "..." once folded
        "a\u037ab@example.com",  # would have a space once folded
        "a" * 65 + "@example.com",
        "ﷺ" * 4 + "@example.com",  # 4 characters, 72 once folded
        "a@" + "b" * 64 + ".com",
        "a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".example.com",
        "é" * 64 + "@" + ".".join(["b" * 40] * 3) + ".example.com",  # 254 characters at most are more octets
        "a" * 100_000 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(InvalidEmail) as refused:
        email_key(typed)

    assert str(refused.value) == "This is not a valid e-mail address."


def test_an_address_may_have_254_octets() -> None:
    domain = ".".join(["b" * 62] * 3) + ".io"
    longest = "a" * (253 - len(domain)) + "@" + domain

    assert len(longest) == 254
    assert email_key(longest) == longest
    with pytest.raises(InvalidEmail):
        email_key("a" + longest)


@given(texts | addresses)
def test_a_text_is_an_address_or_refused_and_its_key_is_its_own_key(typed: str) -> None:
    try:
        key = email_key(typed)
    except InvalidEmail:
        return
    assert email_key(key) == key
    assert len(key) <= 254
    assert not any(character.isspace() or not character.isprintable() for character in typed + key)


@given(addresses)
def test_the_key_of_an_address_is_its_lookup_key(typed: str) -> None:
    try:
        key = email_key(typed)
    except InvalidEmail:
        return
    event("valid")
    assert lookup_key(typed) == key


@given(st.emails())
def test_case_does_not_matter(typed: str) -> None:
    assert lookup_key(typed.upper()) == lookup_key(typed.lower()) == lookup_key(f" {typed}\n")


@given(texts)
@example("\u0345a@example.com")
@example("ada\uff20example.com")
@example(" \u00a0x")
def test_any_text_has_a_lookup_key_that_is_its_own_key(typed: str) -> None:
    key = lookup_key(typed)

    assert lookup_key(key) == key
    assert len(key) <= 254
    assert key.isprintable()
    key.encode()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "ada"),
        ("ada", "  ADA\t"),
        ("\uff41\uff44\uff41", "ada"),
        ("Straße", "STRASSE"),
        ("cafe\u0301", "CAF\u00c9"),
        ("ada\uff20example.com", "ada@example.com"),
        ("Ada@localhost", "ada@LOCALHOST"),
    ],
)
def test_variants_of_a_name_share_a_lookup_key(one: str, other: str) -> None:
    assert lookup_key(one) == lookup_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada", "bob"),
        ("ada@straße.example", "ada@strasse.example"),
        ("x" * 255, "x" * 256),
        ("y" * 5_000 + "a", "y" * 5_000 + "b"),
        ("ada\x00", "ada\x01"),
        ("\ud800", "\ud801"),
    ],
)
def test_different_names_do_not(one: str, other: str) -> None:
    assert lookup_key(one) != lookup_key(other)


@pytest.mark.parametrize("typed", ["x" * 255, "x" * 100_000, "ada\x00", "a\r\nb", "\ud800", "ﷺ" * 100])
def test_what_no_account_can_have_gets_a_digest(typed: str) -> None:
    key = lookup_key(typed)

    assert key.startswith("#")
    assert len(key) == 65


@given(st.text(max_size=50) | st.text(st.sampled_from(AWKWARD), max_size=50))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert casefold_key(casefold_key(text)) == casefold_key(text)
