"""Which credentials are accepted, and how others are refused (RFC 6750) [ASVS 9.1, 9.2]."""

import base64
import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
import time_machine
from litestar import Litestar

from app.domain.auth.services.tokens import TokenIssuer
from app.lib.clock import utc_now
from tests.domain.auth.steps import LOGIN, ME, bearer, refresh, whoami
from tests.support.apps import core_of
from tests.support.people import People, Person

pytestmark = pytest.mark.asvs("9.1.1", "9.1.2", "9.1.3", "9.2.1", "9.2.2", "9.2.3")

BARE = "Bearer"
INVALID = 'Bearer error="invalid_token"'
INSUFFICIENT = 'Bearer error="insufficient_scope"'


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Forge:
    """Makes tokens that differ from a good one in the way that they are given."""

    def __init__(self, app: Litestar, person: Person) -> None:
        self.secret = core_of(app).settings.signing_secret
        self.header = jwt.get_unverified_header(person.access_token)
        self.claims = jwt.decode(person.access_token, options={"verify_signature": False})

    def token(self, claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None) -> str:
        """Rightly signed; None as a value leaves a claim out."""
        merged = {k: v for k, v in {**self.claims, **(claims or {})}.items() if v is not None}
        head = {k: v for k, v in {**self.header, **(header or {})}.items() if v is not None}
        return jwt.encode(merged, self.secret, algorithm="HS256", headers=head)

    def unsigned(self, alg: str) -> str:
        return f"{encoded({**self.header, 'alg': alg})}.{encoded(self.claims)}."


async def assert_refused(client: httpx.AsyncClient, headers: Any) -> None:
    response = await client.get(ME, headers=headers)
    assert response.status_code == 401
    assert response.json()["code"] == "invalid_token"
    assert response.headers["www-authenticate"] == INVALID
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_good_token_is_taken_and_a_forged_one_with_the_same_claims_would_be(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    """So that what follows fails for the reason that it names."""
    person = await people.create()

    assert (await whoami(client, person.access_token)).status_code == 200
    assert (await whoami(client, Forge(app, person).token())).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"type": "refresh"},
        {"type": "verify_email"},
        {"type": None},
        {"aud": "someone-else"},
        {"aud": ["lodestar"]},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"sub": "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"},
        {"sub": "ada"},
        {"sub": None},
        {"sid": "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"},
        {"sid": None},
        {"jti": None},
        {"iat": None},
        {"exp": None},
        {"exp": 2**63},
        {"exp": "tomorrow"},
        {"exp": 0},
        {"nbf": 2**33},
    ],
    ids=str,
)
async def test_every_claim_is_looked_at(
    client: httpx.AsyncClient, people: People, app: Litestar, claims: dict[str, Any]
) -> None:
    person = await people.create()

    await assert_refused(client, bearer(Forge(app, person).token(claims)))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "rt+jwt"},
        {"typ": None},
        {"kid": "another"},
        {"kid": None},
        {"kid": "../../dev/null"},
        {"jku": "https://evil.example/jwks.json"},
        {"jwk": {"kty": "oct", "k": "eA"}},
        {"x5u": "https://evil.example/key.pem"},
        {"crit": ["exp"]},
        {"zip": "DEF"},
    ],
    ids=str,
)
async def test_every_header_is_looked_at(
    client: httpx.AsyncClient, people: People, app: Litestar, header: dict[str, Any]
) -> None:
    person = await people.create()

    await assert_refused(client, bearer(Forge(app, person).token(header=header)))


async def test_the_signature_is_looked_at(client: httpx.AsyncClient, people: People, app: Litestar) -> None:
    person = await people.create()
    forge = Forge(app, person)
    head, body, signature = person.access_token.split(".")
    other = jwt.encode(forge.claims, "another-key-that-is-long-enough-for-this", "HS256", headers=forge.header)
    longer = jwt.encode(forge.claims, forge.secret * 2, "HS512", headers={**forge.header, "alg": "HS512"})

    for token in (
        *(forge.unsigned(alg) for alg in ("none", "None", "NONE", "HS256", "RS256", "EdDSA")),
        other,
        longer,
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature}.x",
        f"{head}.{encoded({**forge.claims, 'sub': str(uuid4())})}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.{signature}=",
        person.access_token + "A" * 5_000,
    ):
        await assert_refused(client, bearer(token))


async def test_a_token_expires(client: httpx.AsyncClient, people: People, clock: time_machine.Traveller) -> None:
    person = await people.create()
    assert (await whoami(client, person.access_token)).status_code == 200

    clock.shift(timedelta(minutes=10, seconds=6))  # clocks may be five seconds apart

    await assert_refused(client, person.headers)
    assert (await refresh(client, person.refresh_token)).status_code == 200


async def test_a_token_from_the_future_is_refused(
    client: httpx.AsyncClient, people: People, app: Litestar, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    forge, now = Forge(app, person), int(time.time())

    await assert_refused(client, bearer(forge.token({"iat": now + 6, "exp": now + 600})))
    assert (await whoami(client, forge.token({"iat": now + 4, "exp": now + 600}))).status_code == 200


@pytest.mark.parametrize(
    "template",
    [
        "Basic {token}",
        "Token {token}",
        "JWT {token}",
        "{token}",
        "Bearer",
        "Bearer ",
        "Bearer\t{token}",
        "Bearer={token}",
        "Bearer {token} {token}",
        "Bearer {token},{token}",
        "Bearer, {token}",
        'Bearer "{token}"',
        "Bearer Bearer {token}",
        "DPoP {token}",
        "",
    ],
)
async def test_only_one_form_of_the_header_counts(client: httpx.AsyncClient, people: People, template: str) -> None:
    person = await people.create()

    await assert_refused(client, {"Authorization": template.format(token=person.access_token)})


async def test_the_name_of_the_scheme_is_case_insensitive(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    for scheme in ("bearer", "BEARER", "Bearer "):
        headers = {"Authorization": f"{scheme} {person.access_token}"}
        assert (await client.get(ME, headers=headers)).status_code == 200


async def test_two_headers_are_one_too_many(client: httpx.AsyncClient, people: People) -> None:
    person, other = await people.create(), await people.create()

    for second in (person.access_token, other.access_token, "x"):
        await assert_refused(
            client, [("Authorization", f"Bearer {person.access_token}"), ("Authorization", f"Bearer {second}")]
        )


@pytest.mark.parametrize("value", [b"Bearer \xff\xfe", b"Bearer \xc3\xbc.a.b", b"\xe9", b"Bearer a.b.\x80"])
async def test_a_header_that_is_no_ascii_is_refused(client: httpx.AsyncClient, app: Litestar, value: bytes) -> None:
    await assert_refused(client, [(b"Authorization", value)])


async def test_a_token_counts_nowhere_else(client: httpx.AsyncClient, people: People) -> None:
    token = (await people.create()).access_token

    in_query = await client.get(ME, params={"access_token": token})
    assert in_query.status_code in {400, 401}
    for name in ("token", "access_token", "Authorization", "session"):
        client.cookies.set(name, token)
    in_cookie = await client.get(ME, headers={"X-Access-Token": token, "Proxy-Authorization": f"Bearer {token}"})
    assert (in_cookie.status_code, in_cookie.headers["www-authenticate"]) == (401, BARE)
    in_body = await client.post("/api/v1/auth/logout", data={"access_token": token})
    assert in_body.status_code == 401


async def test_without_credentials_the_challenge_is_bare(client: httpx.AsyncClient) -> None:
    response = await client.get(ME)

    assert response.status_code == 401
    assert response.json()["code"] == "unauthenticated"
    assert response.headers["www-authenticate"] == BARE


async def test_without_the_right_the_challenge_says_so(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    response = await client.get("/api/v1/users", headers=person.headers)

    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"
    assert response.headers["www-authenticate"] == INSUFFICIENT


async def test_head_is_guarded_as_get_is(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    anonymous = await client.head(ME)
    assert (anonymous.status_code, anonymous.headers["www-authenticate"], anonymous.content) == (401, BARE, b"")
    forged = await client.head(ME, headers=bearer("x.y.z"))
    assert (forged.status_code, forged.headers["www-authenticate"]) == (401, INVALID)
    good = await client.head(ME, headers=person.headers)
    assert (good.status_code, good.content) == (200, b"")
    forbidden = await client.head("/api/v1/users", headers=person.headers)
    assert (forbidden.status_code, forbidden.headers["www-authenticate"]) == (403, INSUFFICIENT)


@pytest.mark.parametrize("token", [None, "x.y.z"])
async def test_options_needs_no_credentials_and_gives_nothing_away(
    client: httpx.AsyncClient, token: str | None
) -> None:
    response = await client.options(ME, headers=bearer(token) if token else {})

    assert response.status_code == 204
    assert response.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert response.content == b""
    assert (await client.options(LOGIN)).headers["allow"] == "OPTIONS, POST"


async def test_a_token_of_one_session_does_not_speak_for_another_user(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    """Signed or not: user and session have to belong together, also when the session is remembered."""
    person, admin = await people.create(), await people.create(is_superuser=True)
    for known in (person, admin):
        assert (await whoami(client, known.access_token)).status_code == 200

    signer = core_of(app).services.get(TokenIssuer).signer
    mixed = signer.issue_access(person.id, admin.session_id, utc_now(), timedelta(minutes=1))

    await assert_refused(client, bearer(mixed))
