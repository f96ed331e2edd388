"""Tokens that others made or changed."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.lib.security.tokens import TokenSigner, refresh_jti
from tests.lib.security.forge import (
    AUDIENCE,
    ED25519,
    FOREIGN_SECRET,
    ISSUER,
    OLD_SECRET,
    RFC_8037_THUMBPRINT,
    RFC_8037_X,
    SECRET,
    SESSION,
    USER,
    access,
    claims,
    clock,
    decode64,
    eddsa,
    encode64,
    header_of,
    hs256,
    pem_of,
    refresh,
    refused,
    sign,
    signer,
)

pytestmark = pytest.mark.asvs("9.1.1", "9.1.2", "9.1.3", "9.2.2", "9.2.3")

__all__ = ["clock", "signer"]  # fixtures that pytest finds by their names here


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

    def test_with_a_private_key_the_secret_verifies_refresh_tokens_alone_and_a_fallback_all(self) -> None:
        refused(eddsa(), access(hs256(SECRET)))
        assert eddsa().read_refresh(refresh(hs256(SECRET))).generation == 3
        assert eddsa().read_access(access(hs256(OLD_SECRET))).user_id == USER
        refused(eddsa(), access(hs256("a third secret that is long enough to sign")))

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
        with pytest.raises(ValueError, match=r"must be an Ed25519 key in PEM|a public key cannot sign"):
            TokenSigner(secret=SECRET, private_key_pem=pem, issuer=ISSUER, audience=AUDIENCE)


def test_the_id_of_a_refresh_token_is_an_hmac_of_secret_and_generation() -> None:
    secret = b"\x00" * 32
    expected = hmac.new(secret, b"refresh:7", hashlib.sha256).digest()

    assert decode64(refresh_jti(secret, 7)) == expected
    assert len(refresh_jti(secret, 7)) == 43
    assert refresh_jti(secret, 8) != refresh_jti(secret, 7) != refresh_jti(b"\x01" * 32, 7)
