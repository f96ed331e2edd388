"""Tokens: what they say, and for how long they are good."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from app.lib.errors import InvalidToken
from app.lib.security.tokens import AccessClaims, RefreshClaims, TokenSigner
from tests.lib.security.forge import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    SESSION,
    TEN_MINUTES,
    THIRTY_DAYS,
    USER,
    Members,
    access,
    claims,
    clock,
    eddsa,
    header_of,
    hs256,
    payload_of,
    refresh,
    refused,
    sign,
    signer,
)

__all__ = ["clock", "signer"]  # fixtures that pytest finds by their names here


class TestAccess:
    def test_what_is_issued_is_read(self, signer: TokenSigner) -> None:
        read = signer.read_access(access(signer))

        assert isinstance(read, AccessClaims)
        assert (read.user_id, read.session_id) == (USER, SESSION)
        assert (read.iat, read.exp) == (int(NOW.timestamp()), int(NOW.timestamp()) + 600)

    def test_the_wire_format_is_rfc_9068(self, signer: TokenSigner) -> None:
        token = access(signer)

        assert header_of(token) == {"alg": header_of(token)["alg"], "kid": header_of(token)["kid"], "typ": "at+jwt"}
        assert payload_of(token) == {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(USER),
            "sid": str(SESSION),
            "type": "access",
            "jti": signer.read_access(token).jti,
            "iat": 1_772_366_400,
            "exp": 1_772_367_000,
        }

    def test_every_token_has_an_id_of_its_own(self, signer: TokenSigner) -> None:
        ids = {signer.read_access(access(signer)).jti for _ in range(50)}

        assert len(ids) == 50
        assert all(len(jti) == 22 for jti in ids)

    def test_any_jwt_library_can_check_it(self) -> None:
        read = jwt.decode(access(hs256()), SECRET, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)

        assert read["sub"] == str(USER)

    def test_times_without_a_zone_are_a_mistake(self, signer: TokenSigner) -> None:
        with pytest.raises(ValueError, match="time zone"):
            signer.issue_access(USER, SESSION, NOW.replace(tzinfo=None), TEN_MINUTES)


class TestRefresh:
    def test_what_is_issued_is_read(self, signer: TokenSigner) -> None:
        read = signer.read_refresh(refresh(signer))

        assert read == RefreshClaims(
            user_id=USER,
            session_id=SESSION,
            jti="an-id",
            generation=3,
            iat=int(NOW.timestamp()),
            exp=int((NOW + THIRTY_DAYS).timestamp()),
        )

    def test_the_same_generation_is_the_same_token_byte_for_byte(self, signer: TokenSigner) -> None:
        first = refresh(signer)
        with time_machine.travel(NOW + timedelta(seconds=9), tick=False):
            assert refresh(signer) == first

    def test_the_same_row_is_the_same_token_after_a_restart(self) -> None:
        assert refresh(hs256()) == refresh(hs256())
        assert refresh(eddsa()) == refresh(eddsa())

    def test_the_next_generation_is_another_token(self, signer: TokenSigner) -> None:
        assert refresh(signer, 3) != refresh(signer, 4)

    def test_fractions_of_a_second_are_cut_off(self, signer: TokenSigner) -> None:
        token = signer.issue_refresh(
            USER,
            SESSION,
            generation=1,
            jti="an-id",
            issued_at=NOW + timedelta(microseconds=999_999),
            expires_at=NOW + THIRTY_DAYS,
        )

        assert signer.read_refresh(token).iat == int(NOW.timestamp())

    @pytest.mark.parametrize("generation", [..., "3", 3.0, -1, None, True])
    def test_the_generation_is_an_integer(self, generation: Any) -> None:
        payload = {**payload_of(refresh(hs256())), "generation": generation}
        if generation is ...:
            del payload["generation"]

        refused(hs256(), sign(payload, typ="rt+jwt"))


def test_equal_claims_are_the_same_token_in_any_order(signer: TokenSigner) -> None:
    one = signer.encode({"sub": "x", "nested": {"a": 1, "b": 2}}, typ="x+jwt")
    other = signer.encode({"nested": {"b": 2, "a": 1}, "sub": "x"}, typ="x+jwt")

    assert one == other


def test_issuer_and_audience_cannot_be_overridden(signer: TokenSigner) -> None:
    token = signer.encode({"iss": "elsewhere", "aud": "elsewhere"}, typ="x+jwt")

    assert payload_of(token) == {"iss": ISSUER, "aud": AUDIENCE}


def test_a_refresh_token_is_no_access_token_and_the_reverse(signer: TokenSigner) -> None:
    with pytest.raises(InvalidToken):
        signer.read_access(refresh(signer))
    with pytest.raises(InvalidToken):
        signer.read_refresh(access(signer))


def test_the_forging_helper_forges_good_tokens() -> None:
    assert hs256().read_access(sign(claims())).user_id == USER
    assert hs256().read_access(sign(claims(unknown="is ignored"))).user_id == USER


@pytest.mark.parametrize("typ", ["JWT", "jwt", "AT+JWT", "application/at+jwt", "", None, 1, ...])
def test_another_typ_is_refused(typ: Any) -> None:
    refused(hs256(), sign(claims(), typ=typ))


@pytest.mark.parametrize("kind", ["refresh", "Access", "", None, 1, ["access"], ...])
def test_another_type_is_refused(kind: Any) -> None:
    refused(hs256(), sign(claims(type=kind)))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "type", "jti", "iat", "exp"])
@pytest.mark.parametrize("value", [..., None])
def test_every_claim_is_required(name: str, value: Any) -> None:
    refused(hs256(), sign(claims(**{name: value})))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": [ISSUER]},
        {"iss": ISSUER + "/"},
        {"aud": "elsewhere"},
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "elsewhere"]},
        {"aud": {}},
        {"sub": "not a uuid"},
        {"sub": 1},
        {"sid": "not a uuid"},
        {"jti": 1},
        {"iat": "1772366400"},
        {"iat": 1.5},
        {"iat": float("inf")},
        {"iat": -1},
        {"iat": 10**30},
        {"exp": "1772370000"},
        {"exp": 1772370000.5},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**30},
        {"exp": [1]},
        {"nbf": int(NOW.timestamp()) + 60},
        {"nbf": "soon"},
    ],
    ids=str,
)
def test_claims_that_do_not_fit_are_refused(changes: Members) -> None:
    refused(hs256(), sign(claims(**changes)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(["iss", "aud", "sub", "sid", "type", "iat", "exp", "nbf"]), json_values)
def test_a_claim_of_any_shape_is_refused_and_never_a_crash(name: str, value: Any) -> None:
    token = sign(claims(**{name: value}))

    try:
        read = hs256().read_access(token)
    except InvalidToken:
        return
    assert read.user_id == USER
    assert name in {"iat", "exp", "nbf"}


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe", b"[" * 2500, b"1" * 2500], ids=lambda p: p[:6]
)
def test_a_signed_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    refused(hs256(), sign(payload))


class TestTimes:
    @pytest.mark.parametrize(("late", "good"), [(0, True), (4, True), (5, False), (6, False), (3600, False)])
    def test_an_expired_token_is_good_for_less_than_5_seconds_more(
        self, signer: TokenSigner, late: int, good: bool
    ) -> None:
        token = access(signer)

        with time_machine.travel(NOW + TEN_MINUTES + timedelta(seconds=late), tick=False):
            if good:
                assert signer.read_access(token).user_id == USER
            else:
                refused(signer, token)

    @pytest.mark.parametrize(("early", "good"), [(0, True), (5, True), (6, False), (3600, False)])
    def test_a_token_of_a_clock_ahead_is_good_up_to_5_seconds(
        self, signer: TokenSigner, early: int, good: bool
    ) -> None:
        token = signer.issue_access(USER, SESSION, NOW + timedelta(seconds=early), TEN_MINUTES)

        if good:
            assert signer.read_access(token).user_id == USER
        else:
            refused(signer, token)
