import pytest

from app.lib.ratelimit.policy import Limit, NamedLimit, Verdict


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [
        ("600/minute", 600, 60),
        ("30 per hour", 30, 3600),
        ("10 per 15 minutes", 10, 900),
        ("5/second", 5, 1),
        (" 2 PER Day ", 2, 86400),
    ],
)
def test_a_limit_is_read_from_words(text: str, amount: int, seconds: int) -> None:
    assert Limit.parse(text) == Limit(amount, seconds)


@pytest.mark.parametrize(
    "text", ["", "many", "600", "600/", "600/fortnight", "-5/minute", "1.5/minute", "5/second; 600/minute", "5/s,9/s"]
)
def test_what_is_no_single_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate limit; write it like '600/minute'"):
        Limit.parse(text)


@pytest.mark.parametrize("text", ["0/minute", "99999999999/minute", "5 per 2 years"])
def test_a_limit_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Limit.parse(text)


def test_a_limit_prints_as_what_it_allows() -> None:
    assert str(Limit.parse("10 per 15 minutes")) == "10 per 900 seconds"
    assert Limit.parse(str(Limit.parse("10 per 15 minutes"))) == Limit(10, 900)


@pytest.mark.parametrize("name", ["", "Auth", 'a"b', "a:b", "a\r\nb", "9a", "a" * 41])
def test_a_name_that_could_break_a_header_or_a_key_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a rate limit"):
        NamedLimit(name, Limit(1, 1))


def test_a_refusal_says_when_to_come_back() -> None:
    verdict = Verdict(NamedLimit("auth", Limit(1, 60)), allowed=False, remaining=0, reset_after_seconds=17)

    assert verdict.refusal().status == 429
    assert verdict.refusal().headers == {"Retry-After": "17"}
