import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.lib.errors import InvalidToken
from app.lib.security.tokens import AccessClaims, RefreshClaims, TokenSigner, refresh_jti

SECRET = "a secret of the service with more than 32 bytes"
OLD_SECRET = "an older secret of the service with 32 bytes and more"
FOREIGN_SECRET = "a secret of somebody else with more than 32 bytes"
ISSUER = "https://lodestar.example"
AUDIENCE = "lodestar"
USER = UUID("0193a3c4-0000-7000-8000-000000000001")
SESSION = UUID("0193a3c4-0000-7000-8000-000000000002")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)
THIRTY_DAYS = timedelta(days=30)

# RFC 8037 appendix A.1 and A.3
RFC_8037_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

Members = dict[str, Any]


def encode64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode64(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def pem_of(key: Any, *, encryption: serialization.KeySerializationEncryption | None = None) -> str:
    octets: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )
    return octets.decode()


ED25519 = Ed25519PrivateKey.from_private_bytes(decode64(RFC_8037_D))


def hs256(secret: str = SECRET, *fallbacks: str, issuer: str = ISSUER, audience: str = AUDIENCE) -> TokenSigner:
    return TokenSigner(secret=secret, fallbacks=fallbacks, issuer=issuer, audience=audience)


def eddsa(key: Ed25519PrivateKey = ED25519) -> TokenSigner:
    return TokenSigner(
        secret=SECRET, fallbacks=[OLD_SECRET], private_key_pem=pem_of(key), issuer=ISSUER, audience=AUDIENCE
    )


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(params=[hs256, eddsa], ids=["HS256", "EdDSA"])
def signer(request: pytest.FixtureRequest) -> TokenSigner:
    make: Callable[[], TokenSigner] = request.param
    return make()


def access(signer: TokenSigner) -> str:
    return signer.issue_access(USER, SESSION, NOW, TEN_MINUTES)


def refresh(signer: TokenSigner, generation: int = 3) -> str:
    return signer.issue_refresh(
        USER, SESSION, generation=generation, jti="an-id", issued_at=NOW, expires_at=NOW + THIRTY_DAYS
    )


def header_of(token: str) -> Members:
    header: Members = json.loads(decode64(token.partition(".")[0]))
    return header


def payload_of(token: str) -> Members:
    payload: Members = json.loads(decode64(token.split(".")[1]))
    return payload


def claims(**changes: Any) -> Members:
    """The claims of a good access token, with changes; ``...`` removes one."""
    good = payload_of(access(hs256()))
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def sign(payload: Any, *, secret: str = SECRET, **header: Any) -> str:
    """Sign whatever it is as HS256, as somebody who knows the secret could; ``...`` removes a header."""
    good = header_of(access(hs256()))
    names = {name: value for name, value in {**good, **header}.items() if value is not ...}
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{encode64(json.dumps(names).encode())}.{encode64(content)}"
    return f"{signed}.{encode64(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def refused(signer: TokenSigner, token: str) -> None:
    for read in (signer.read_access, signer.read_refresh):
        with pytest.raises(InvalidToken) as refusal:
            read(token)
        assert refusal.value.status == 401
        assert refusal.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


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


def test_equal_claims_are_the_same_token_whatever_their_order(signer: TokenSigner) -> None:
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


class TestHeader:
    @pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None])
    def test_an_unsigned_token_is_refused(self, signer: TokenSigner, alg: str | None) -> None:
        header, payload, _ = access(signer).split(".")
        forged = encode64(json.dumps({**json.loads(decode64(header)), "alg": alg}).encode())

        refused(signer, f"{forged}.{payload}.")
        refused(signer, f"{forged}.{payload}.AA")
        refused(signer, f"{header}.{payload}.")

    @pytest.mark.parametrize("alg", ["HS384", "HS512", "RS256", "EdDSA", "hs256", ["HS256"], ...])
    def test_the_algorithm_is_the_keys_and_not_the_tokens(self, alg: Any) -> None:
        refused(hs256(), sign(claims(), alg=alg))

    def test_hs512_with_the_right_secret_is_refused(self) -> None:
        token = jwt.encode(claims(), SECRET * 2, "HS512", headers=header_of(access(hs256())) | {"alg": "HS512"})

        refused(hs256(SECRET * 2), token)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("jku", "https://evil.example/jwks.json"),
            ("jwk", {"kty": "oct", "k": encode64(FOREIGN_SECRET.encode())}),
            ("x5u", "https://evil.example/cert.pem"),
            ("x5c", ["MIIB"]),
            ("crit", ["b64"]),
            ("b64", False),
            ("cty", "JWT"),
            ("zip", "DEF"),
        ],
    )
    def test_headers_that_would_change_what_is_checked_are_refused(self, name: str, value: Any) -> None:
        refused(hs256(), sign(claims(), **{name: value}))

    @pytest.mark.parametrize("kid", ["", "unknown", "../../dev/null", None, 1, ["x"], ...])
    def test_an_unknown_kid_is_refused(self, kid: Any) -> None:
        refused(hs256(), sign(claims(), kid=kid))

    def test_a_foreign_key_is_refused_with_its_own_kid_and_with_ours(self) -> None:
        foreign = hs256(FOREIGN_SECRET)

        refused(hs256(), access(foreign))
        refused(hs256(), sign(claims(), secret=FOREIGN_SECRET))
        refused(eddsa(), access(eddsa(Ed25519PrivateKey.generate())))

    def test_the_public_key_is_no_hmac_secret(self) -> None:
        signer = eddsa()
        kid = signer.jwks()["keys"][0]["kid"]
        public = ED25519.public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

        for secret in (pem, RFC_8037_X, SECRET, OLD_SECRET):
            refused(signer, sign(claims(), secret=secret, kid=kid))
            refused(signer, sign(claims(), secret=secret, kid=kid, alg="EdDSA"))


class TestShape:
    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            "garbage",
            "a.b",
            "é.é.é",
            "\ud800.\ud800.\ud800",
            "\x00.\x00.\x00",
            "e30.e30.e30",
            "bnVsbA.bnVsbA.bnVsbA",
            "W10.W10.W10",
            "_w._w._w",
            f"{encode64(b'[' * 3000)}.e30.e30",
            "a" * 10_240,
            f"{'a' * 3400}.{'a' * 3400}.{'a' * 3400}",
        ],
        ids=lambda token: ascii(token[:12]),
    )
    def test_garbage_is_refused(self, signer: TokenSigner, token: str) -> None:
        refused(signer, token)

    @given(st.text(max_size=60) | st.from_regex(r"[\w.=-]{1,80}"))
    def test_any_text_is_refused_and_never_a_crash(self, text: str) -> None:
        refused(hs256(), text)

    def test_a_good_token_of_10_kb_is_refused(self) -> None:
        assert hs256().read_access(sign(claims(padding="x" * 2_000))).user_id == USER
        refused(hs256(), sign(claims(padding="x" * 7_500)))

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda token: token + "=",
            lambda token: token + ".",
            lambda token: token + ".e30",
            lambda token: "." + token,
            lambda token: " " + token,
            lambda token: token + "\n",
            lambda token: "Bearer " + token,
            lambda token: token.replace(".", ".."),
            lambda token: token[:-2],
            lambda token: token.rpartition(".")[0],
            lambda token: token.rpartition(".")[0] + ".AAAA",
        ],
    )
    def test_a_good_token_with_something_more_or_less_is_refused(
        self, signer: TokenSigner, spoil: Callable[[str], str]
    ) -> None:
        refused(signer, spoil(access(signer)))

    def test_changed_claims_break_the_signature(self, signer: TokenSigner) -> None:
        header, _, signature = access(signer).split(".")
        other = encode64(json.dumps(claims(sub=str(SESSION))).encode())

        refused(signer, f"{header}.{other}.{signature}")


class TestRotation:
    def test_a_fallback_verifies_and_does_not_sign(self) -> None:
        before, after = hs256(OLD_SECRET), hs256(SECRET, OLD_SECRET)

        assert after.read_access(access(before)).user_id == USER
        assert after.read_refresh(refresh(before)).generation == 3
        assert header_of(access(after))["kid"] == header_of(access(hs256(SECRET)))["kid"]
        refused(before, access(after))

    def test_a_secret_that_is_dropped_verifies_nothing(self) -> None:
        refused(hs256(SECRET), access(hs256(OLD_SECRET)))

    def test_a_fallback_equal_to_the_secret_does_no_harm(self) -> None:
        signer = hs256(SECRET, SECRET)

        assert signer.read_access(access(signer)).user_id == USER

    def test_with_a_private_key_no_secret_verifies(self) -> None:
        refused(eddsa(), access(hs256(SECRET)))
        refused(eddsa(), access(hs256(OLD_SECRET)))

    def test_without_the_private_key_its_tokens_are_refused(self) -> None:
        refused(hs256(), access(eddsa()))

    def test_a_kid_names_its_secret_and_does_not_tell_it(self) -> None:
        kid = header_of(access(hs256()))["kid"]

        assert kid == header_of(access(hs256(SECRET, OLD_SECRET)))["kid"]
        assert kid != header_of(access(hs256(OLD_SECRET)))["kid"]
        assert len(kid) == 12
        assert not encode64(hashlib.sha256(SECRET.encode()).digest()).startswith(kid)

    def test_another_issuer_or_audience_with_the_same_secret_is_refused(self) -> None:
        refused(hs256(), access(hs256(issuer="https://elsewhere.example")))
        refused(hs256(), access(hs256(audience="elsewhere")))


class TestKeys:
    def test_a_shared_secret_is_never_published(self) -> None:
        assert hs256(SECRET, OLD_SECRET).jwks() == {"keys": []}

    def test_the_public_key_is_published_under_its_rfc_7638_thumbprint(self) -> None:
        signer = eddsa()

        assert signer.jwks() == {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": RFC_8037_X,
                    "use": "sig",
                    "alg": "EdDSA",
                    "kid": RFC_8037_THUMBPRINT,
                }
            ]
        }
        assert header_of(access(signer)) == {"alg": "EdDSA", "kid": RFC_8037_THUMBPRINT, "typ": "at+jwt"}

    def test_a_client_that_has_the_published_key_can_check_tokens(self) -> None:
        signer = eddsa()
        key = jwt.PyJWKSet.from_dict(signer.jwks())[RFC_8037_THUMBPRINT]

        read = jwt.decode(access(signer), key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)

        assert read["sub"] == str(USER)

    def test_no_secret_shows_in_a_traceback(self) -> None:
        assert SECRET not in repr(vars(hs256(SECRET)))

    def test_changing_what_was_published_changes_no_key(self) -> None:
        signer = eddsa()
        signer.jwks()["keys"][0]["kid"] = "changed"

        assert signer.jwks()["keys"][0]["kid"] == RFC_8037_THUMBPRINT

    @pytest.mark.parametrize("secret", ["", "short", "x" * 31])
    def test_a_short_secret_is_refused(self, secret: str) -> None:
        with pytest.raises(ValueError, match="at least 32 bytes"):
            hs256(secret)
        with pytest.raises(ValueError, match="at least 32 bytes"):
            hs256(SECRET, secret)

    @pytest.mark.parametrize("secret", [pem_of(ED25519), json.dumps({"kty": "oct", "k": "x" * 43})])
    def test_a_key_in_another_format_is_no_secret(self, secret: str) -> None:
        with pytest.raises(ValueError, match="must not be a PEM, SSH or JWK key") as refusal:
            hs256(secret)
        assert secret not in str(refusal.value)

    @pytest.mark.parametrize(
        "pem",
        [
            "",
            "not a key",
            "\ud800",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            pem_of(generate_private_key(SECP256R1())),
            pem_of(ED25519, encryption=serialization.BestAvailableEncryption(b"passphrase")),
            ED25519.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode(),
        ],
        ids=["empty", "text", "surrogate", "broken", "other curve", "encrypted", "public"],
    )
    def test_anything_but_a_plain_ed25519_private_key_is_refused(self, pem: str) -> None:
        with pytest.raises(ValueError, match="must be an Ed25519 key in PEM without a passphrase"):
            TokenSigner(secret=SECRET, private_key_pem=pem, issuer=ISSUER, audience=AUDIENCE)


def test_the_id_of_a_refresh_token_is_an_hmac_of_secret_and_generation() -> None:
    secret = b"\x00" * 32
    expected = hmac.new(secret, b"refresh:7", hashlib.sha256).digest()

    assert decode64(refresh_jti(secret, 7)) == expected
    assert len(refresh_jti(secret, 7)) == 43
    assert refresh_jti(secret, 8) != refresh_jti(secret, 7) != refresh_jti(b"\x01" * 32, 7)
