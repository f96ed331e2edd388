import hashlib
from importlib import resources

import pytest

from app.lib.errors import FieldCode, FieldError
from app.lib.security.password_policy import TOO_COMMON, TOO_SIMPLE, PasswordPolicy, common_passwords

GOOD = "violet kettle over nine hills"


def codes(flaws: list[FieldError]) -> list[FieldCode]:
    return [flaw.code for flaw in flaws]


def test_a_good_password_has_no_flaws() -> None:
    flaws = PasswordPolicy().check(GOOD, email="ada@example.test", name="Ada Lovelace", username="countess")

    assert flaws == []


@pytest.mark.parametrize("password", ["zq7#fkw1", "violet kettle! " * 68 + "nine", "пароль-для-сайта", "🦆🪶🌧️☂️🥾🗻🛤️🧭"])
def test_lengths_from_8_to_1024_characters_are_taken__asvs_6_2_1_and_6_2_9(password: str) -> None:
    assert PasswordPolicy().check(password) == []


@pytest.mark.parametrize("password", ["", "zq7#fkw", "🦆🦆🦆🦆🦆🦆🦆"])
def test_length_counts_characters_and_not_bytes__asvs_6_2_1(password: str) -> None:
    flaws = PasswordPolicy().check(password)

    assert flaws == [FieldError(pointer="", code=FieldCode.TOO_SHORT, detail="Must have at least 8 characters.")]


def test_too_long_is_the_only_thing_said_of_a_password_that_is_too_long() -> None:
    flaws = PasswordPolicy().check("ada" * 1000, name="adaada")

    assert flaws == [FieldError(pointer="", code=FieldCode.TOO_LONG, detail="Must have at most 1024 characters.")]


def test_lengths_are_settings() -> None:
    policy = PasswordPolicy(min_length=15, max_length=20)

    assert codes(policy.check("zq7#fkw1zq7#fk")) == [FieldCode.TOO_SHORT]
    assert codes(policy.check("zq7#fkw1zq7#fkw")) == []
    assert codes(policy.check("zq7#fkw1zq7#fkw1zq7#f")) == [FieldCode.TOO_LONG]


@pytest.mark.parametrize("password", ["aaaazqxaaaabfw", " x q z k j w v b p", "zqfkwvbnj", "97315086424"])
def test_there_are_no_rules_of_composition__asvs_6_2_5(password: str) -> None:
    assert PasswordPolicy().check(password) == []


@pytest.mark.parametrize(
    "password",
    [
        "password1", "Dragon12", "monkey!!", "1password", "!!Letmein2024!", "P a s s w o r d", "sunshine?",
        "\uff50assword9",        "passwordpassword", "dragon dragon", "football123!", "123password",
        "\u043f\u0430\u0440\u043e\u043b\u044c123",
    ],
)  # fmt: skip
def test_common_words_with_a_digit_a_sign_or_a_capital_are_refused__asvs_6_2_4(password: str) -> None:
    assert PasswordPolicy().check(password) == [FieldError(pointer="", code=FieldCode.WEAK_PASSWORD, detail=TOO_COMMON)]


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaa", "aaaaaaaab1!", "        ", "\u2003" * 8, "\u200b" * 8, "a a a a a", "aaaaaaaaaaaaaq", "abababab",
        "xyqxyqxyq", "kqzwkqzwk",
        "abcdefgh", "hgfedcba", "ABCDefgh", "defghijk", "34567890", "98765432", "qwertzui", "asdfghjk", "lkjhgfds",
        "abcd1234",        "1122334455", "wxyz7890", "!@#$%^&*", "x" * 1024, "z" * 3 + "q" * 1021,
    ],
)  # fmt: skip
def test_repeated_characters_and_sequences_are_refused__asvs_6_2_4(password: str) -> None:
    (flaw,) = PasswordPolicy().check(password)

    assert flaw.code == FieldCode.WEAK_PASSWORD
    assert flaw.detail in {TOO_SIMPLE, TOO_COMMON}


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "dragon kettle", "passwords are hard", "my monkey 1", "k7#dQz!m", "kqzwvhtb" * 2],
)
def test_what_only_looks_a_little_like_them_is_taken(password: str) -> None:
    assert PasswordPolicy().check(password) == []


def test_composed_and_decomposed_spellings_have_the_same_length() -> None:
    assert codes(PasswordPolicy(min_length=15).check("scho\u0308ne gru\u0308ne T")) == [FieldCode.TOO_SHORT]


@pytest.mark.parametrize("password", ["password", "PASSWORD", "Password1", "qwertyuiop", "1234567890", "baseball"])
def test_common_passwords_are_refused_in_any_case__asvs_6_2_4(password: str) -> None:
    assert codes(PasswordPolicy().check(password)) == [FieldCode.WEAK_PASSWORD]


def test_a_shorter_minimum_does_not_let_common_passwords_in() -> None:
    assert codes(PasswordPolicy(min_length=6).check("qwerty")) == [FieldCode.WEAK_PASSWORD]


def test_short_and_common_are_reported_together() -> None:
    assert codes(PasswordPolicy().check("qwerty")) == [FieldCode.TOO_SHORT, FieldCode.WEAK_PASSWORD]


@pytest.mark.parametrize(
    ("password", "person"),
    [
        ("lovelace-1815", {"name": "Ada Lovelace"}),
        ("my LOVELACE phrase", {"name": "Ada Lovelace"}),
        ("the NEILL phrase", {"name": "Maeve O'Neill"}),
        ("jean-zimmermann", {"name": "Zimmermann-Petit"}),
        ("the liwu phrase", {"name": "Li Wu"}),
        ("STRASSE nine hills", {"name": "Otto Straße"}),
        ("\uff4c\uff4f\uff56\uff45\uff4c\uff41\uff43\uff45 hills", {"name": "Lovelace"}),
        ("countess of nine", {"username": "Countess"}),
        ("Ada.L1815 of nine", {"email": "ada.l1815@example.test"}),
        ("bakery of nine hills", {"email": "Bakery+shop@example.test"}),
        ("bakery+shop of nine", {"email": "bakery+shop@example.test"}),
        ("ada.lovelace", {"email": "ada.lovelace@example.test"}),
    ],
)
def test_words_of_the_person_are_refused__asvs_6_2_11(password: str, person: dict[str, str]) -> None:
    flaws = PasswordPolicy().check(password, **person)

    assert flaws == [
        FieldError(
            pointer="", code=FieldCode.WEAK_PASSWORD, detail="Must not contain your name, username or e-mail address."
        )
    ]


@pytest.mark.parametrize(
    "person",
    [
        {"name": "Vio Ket"},
        {"username": "vio"},
        {"email": "vio@kettle.test"},
        {"email": "not an address kettle"},
        {"name": "", "username": "", "email": ""},
        {"name": " - ' "},
    ],
)
def test_words_of_fewer_than_4_characters_and_domains_do_not_count(person: dict[str, str]) -> None:
    assert PasswordPolicy().check(GOOD, **person) == []


def test_words_of_the_service_are_refused__asvs_6_2_11() -> None:
    policy = PasswordPolicy(words=["Harbour", ""])

    assert policy.check("my harBOUR phrase") == [
        FieldError(pointer="", code=FieldCode.WEAK_PASSWORD, detail="Must not contain the name of this service.")
    ]
    assert policy.check(GOOD) == []


@pytest.mark.parametrize("password", ["\ud800", "long enough \udfff"])
def test_text_that_no_utf8_can_carry_is_refused(password: str) -> None:
    assert codes(PasswordPolicy().check(password)) == [FieldCode.INVALID_FORMAT]


def test_a_flaw_names_the_member_of_the_request() -> None:
    (flaw,) = PasswordPolicy().check("zq7#fkw", pointer="/new_password")

    assert (flaw.pointer, flaw.code) == ("/new_password", FieldCode.TOO_SHORT)


def test_the_list_holds_the_3000_most_common_that_the_default_length_allows__asvs_6_2_4() -> None:
    passwords = common_passwords()

    assert sum(len(password) >= 8 for password in passwords) >= 10_000
    assert all(password == password.casefold() for password in passwords)


def test_the_notice_describes_the_list_that_is_shipped() -> None:
    folder = resources.files("app.lib.security")
    content = folder.joinpath("common_passwords.txt").read_bytes()
    notice = folder.joinpath("common_passwords.NOTICE").read_text(encoding="utf-8")

    assert f"{hashlib.sha256(content).hexdigest()} (common_passwords.txt)" in notice
    assert f"{len(common_passwords()):,} common passwords".replace(",", " ") in notice
    assert "MIT License" in notice
