from app.lib.ratelimit.headers import rate_limit_headers
from app.lib.ratelimit.policy import Limit, NamedLimit, Verdict


def test_one_policy() -> None:
    verdict = Verdict(NamedLimit("default", Limit(600, 60)), allowed=True, remaining=599, reset_after_seconds=60)

    assert rate_limit_headers([verdict]) == [
        (b"ratelimit-policy", b'"default";q=600;w=60'),
        (b"ratelimit", b'"default";r=599;t=60'),
    ]


def test_several_policies_are_lists_in_the_order_given() -> None:
    default = Verdict(NamedLimit("default", Limit(600, 60)), allowed=True, remaining=590, reset_after_seconds=12)
    auth = Verdict(NamedLimit("auth", Limit(30, 60)), allowed=False, remaining=0, reset_after_seconds=3)

    assert rate_limit_headers([default, auth]) == [
        (b"ratelimit-policy", b'"default";q=600;w=60, "auth";q=30;w=60'),
        (b"ratelimit", b'"default";r=590;t=12, "auth";r=0;t=3'),
    ]
