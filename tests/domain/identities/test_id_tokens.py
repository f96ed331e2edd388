"""An ID token that is not the provider's, not for us, or not of this attempt signs no one in."""

import base64
import hmac
import json
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import RSAKey
from litestar import Litestar

from app.domain.accounts.models import User
from tests.domain.identities.provider import IdentityProvider
from tests.domain.identities.steps import WRONG_ANSWER, Journey, refusal, rows

ADA, EMAIL = "ada-at-acme", "ada@example.com"
STRANGER = RSAKey.generate_key(2048, private=True)

Claims = dict[str, Any]


@pytest.fixture
def ada(journey: Journey) -> str:
    return journey.person(ADA, EMAIL)


def signed(provider: IdentityProvider, claims: Claims, **header: Any) -> str:
    """By the provider itself."""
    return jwt.encode({"alg": "RS256", "kid": provider.key.kid, **header}, claims, provider.key)


def signed_lie(provider: IdentityProvider, lie: Callable[[Claims], Claims], claims: Claims) -> str:
    return signed(provider, lie(claims))


def part(value: Any) -> bytes:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")


def keyed(key: bytes, claims: Claims, **header: Any) -> str:
    """HS256 with any key, which no honest library takes."""
    text = part({"alg": "HS256", "typ": "JWT", **header}) + b"." + part(claims)
    return (text + b"." + part(hmac.digest(key, text, sha256))).decode()


FORGERIES: dict[str, Callable[[IdentityProvider, Claims], str]] = {
    "no signature": lambda _, claims: (part({"alg": "none"}) + b"." + part(claims) + b".").decode(),
    "no signature in other words": lambda _, claims: (part({"alg": "NoNe"}) + b"." + part(claims) + b".").decode(),
    "the client's secret": lambda p, claims: keyed(p.client_secret.encode(), claims, kid=p.key.kid),
    "the public key": lambda p, claims: keyed(p.key.as_pem(private=False), claims, kid=p.key.kid),
    "the public key as it is published": lambda p, claims: keyed(
        json.dumps(p.key.as_dict(private=False)).encode(), claims
    ),
    "a stranger's key": lambda p, claims: jwt.encode({"alg": "RS256", "kid": p.key.kid}, claims, STRANGER),
    "a stranger's key that is brought along": lambda _, claims: jwt.encode(
        {"alg": "RS256", "jwk": STRANGER.as_dict(private=False)}, claims, STRANGER
    ),
    "a stranger's address of keys": lambda _, claims: jwt.encode(
        {"alg": "RS256", "kid": "mine", "jku": "https://evil.example/keys"}, claims, STRANGER
    ),
    "another algorithm than is announced": lambda p, claims: jwt.encode(
        {"alg": "PS256", "kid": p.key.kid}, claims, p.key, algorithms=["PS256"]
    ),
    "changed claims": lambda p, claims: signed(p, claims).replace(
        ".", f".{part({**claims, 'sub': 'eve'}).decode()}.", 1
    ),
    "claims without end": lambda p, _: jws.serialize_compact({"alg": "RS256", "kid": p.key.kid}, b"[" * 50_000, p.key),
    "no token": lambda *_: "",
    "no text": lambda *_: "a.b.c",
}
LIES: dict[str, Callable[[Claims], Claims]] = {
    "another issuer": lambda claims: claims | {"iss": "https://evil.example"},
    "the issuer with a slash": lambda claims: claims | {"iss": f"{claims['iss']}/"},
    "another audience": lambda claims: claims | {"aud": "someone-else"},
    "more audiences, and no party": lambda claims: claims | {"aud": [*claims["aud"], "someone-else"]},
    "another party": lambda claims: claims | {"azp": "someone-else"},
    "another nonce": lambda claims: claims | {"nonce": "x" * 43},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "expired": lambda claims: claims | {"exp": claims["iat"] - 60},
    "no end": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "an end that never comes": lambda claims: claims | {"exp": float("nan")},
    "of the future": lambda claims: claims | {"iat": claims["iat"] + 3600},
    "no subject": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "an empty subject": lambda claims: claims | {"sub": ""},
    "a long subject": lambda claims: claims | {"sub": "x" * 256},
    "a subject that no database takes": lambda claims: claims | {"sub": "a\0b"},
    "a subject that is no text": lambda claims: claims | {"sub": 7},
    "an access token that is another one": lambda claims: claims | {"at_hash": "x" * 22},
}


@pytest.mark.asvs("6.8.2", "9.1.1", "9.1.2", "9.1.3")
async def test_a_forged_token_is_refused(app: Litestar, journey: Journey, ada: str) -> None:
    answers = {}
    for name, forgery in FORGERIES.items():
        journey.provider.forge = partial(forgery, journey.provider)
        answers[name] = refusal(await journey.sign_in(ada))

    assert answers == dict.fromkeys(FORGERIES, WRONG_ANSWER)
    assert await rows(app, User) == []


@pytest.mark.asvs("6.8.2", "9.2.1", "9.2.3", "10.5.1", "10.5.4")
async def test_a_token_for_something_else_is_refused(app: Litestar, journey: Journey, ada: str) -> None:
    answers = {}
    for name, lie in LIES.items():
        journey.provider.forge = partial(signed_lie, journey.provider, lie)
        answers[name] = refusal(await journey.sign_in(ada))

    assert answers == dict.fromkeys(LIES, WRONG_ANSWER)
    assert await rows(app, User) == []


async def test_a_token_for_several_is_good_where_we_are_the_party(journey: Journey, ada: str) -> None:
    journey.provider.forge = lambda claims: signed(
        journey.provider, claims | {"aud": [*claims["aud"], "someone-else"], "azp": claims["aud"][0]}
    )

    assert (await journey.sign_in(ada)).status_code == 200


async def test_new_keys_are_found_and_unknown_ones_are_asked_for_once(journey: Journey, ada: str) -> None:
    provider = journey.provider
    assert (await journey.sign_in(ada)).status_code == 200
    provider.rotate()
    journey.forget_times()
    assert (await journey.sign_in(ada)).status_code == 200
    assert provider.asked.count("/jwks") == 2

    provider.forge = lambda claims: jwt.encode({"alg": "RS256", "kid": "unknown"}, claims, STRANGER)
    for _ in range(5):
        assert refusal(await journey.sign_in(ada)) == WRONG_ANSWER

    assert provider.asked.count("/jwks") == 2


async def test_the_user_info_of_another_person_is_refused(app: Litestar, journey: Journey, ada: str) -> None:
    journey.provider.without_email = True
    journey.provider.answers["/userinfo"] = lambda: {"sub": "eve", "email": EMAIL, "email_verified": True}

    assert refusal(await journey.sign_in(ada)) == WRONG_ANSWER
    assert await rows(app, User) == []
