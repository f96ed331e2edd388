"""Passkeys that no authenticator makes: each is refused by its field, and nothing gets stuck on it."""

from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from webauthn.helpers import encode_cbor

from tests.domain.auth.passkeys import LOGIN, NEW_OPTIONS, OPTIONS, PASSKEYS, enrol
from tests.domain.auth.steps import fields
from tests.support.authenticators import EXTENDED, Authenticator, cose_of, new_key, to_text
from tests.support.people import People


def laughs(levels: int) -> bytes:
    """Lists of two references each to the list before: small, and endless when they are written out."""
    lists = [b"\xd8\x1c\x82\x00\x00"]
    lists += [b"\xd8\x1c\x82" + 2 * (b"\xd8\x1d" + encode_cbor(level)) for level in range(levels - 1)]
    return b"\x98" + bytes([levels]) + b"".join(lists)


CBOR = {
    "references": laughs(40),
    "nested as deep as there is room": b"\x81" * 6_000 + b"\x00",
    "nested in tags": b"\xc1" * 6_000 + b"\x00",
    "a length that is not stated": b"\x9f\x00\xff",
    "more bytes than there are": b"\x5b" + b"\x7f" + b"\xff" * 7,
    "more items than there are": b"\xbb" + b"\x7f" + b"\xff" * 7,
    "no end": b"\xa1",
    "nothing": b"",
    "a number": b"\x04",
    "two equal keys": b"\xa2\x01\x02\x01\x02",
    "text that is no UTF-8": b"\x61\xff",
    "something left over": b"\x00\x00",
    "reserved": b"\x1c",
}


@pytest.mark.asvs("2.2.1")
async def test_cbor_that_no_authenticator_sends(client: httpx.AsyncClient, people: People) -> None:
    """As the whole, as the key in it, and as an extension of what a known passkey says."""
    authenticator = Authenticator()
    async with people.client(await people.create()) as mine:
        assert (await enrol(mine, authenticator)).status_code == 201
        for name, cbor in CBOR.items():
            options = (await client.post(OPTIONS)).json()
            whole = await enrol(mine, Authenticator(), attestation=cbor)
            key = await enrol(mine, Authenticator(), raw_cose=cbor)
            extended = authenticator.get(options, more_flags=EXTENDED, after=cbor)
            used = await client.post(LOGIN, json={"credential": extended})
            where = "/credential/response/attestationObject"
            assert (whole.status_code, fields(whole)) == (422, {where: "invalid_format"}), name
            assert key.status_code == 422, name
            assert used.status_code in EXTENSIONS.get(name, {422}), name
        assert (await mine.get(PASSKEYS)).json()["total"] == 1


EXTENSIONS = {"a number": {200}, "two equal keys": {401}, "text that is no UTF-8": {401}}
"""What is harmless as an extension is signed by the authenticator, and left to the package."""


CLIENT_DATA = {
    "no JSON": b"{",
    "no object": b"[]",
    "UTF-16": '{"type":"webauthn.get"}'.encode("utf-16"),
    "nested": b'{"type":' + b"[" * 1500,
    "no origin": b'{"type":"webauthn.get","challenge":"AAAA"}',
    "numbers": b'{"type":1,"challenge":2,"origin":3}',
    "a challenge that is no base64url": '{"type":"webauthn.get","challenge":"é","origin":"x"}'.encode(),
}


async def test_client_data_that_no_browser_sends(client: httpx.AsyncClient, people: People) -> None:
    authenticator = Authenticator()
    async with people.client(await people.create()) as mine:
        made = authenticator.create((await mine.post(NEW_OPTIONS)).json())
        used = authenticator.get((await client.post(OPTIONS)).json())
        for name, client_data in CLIENT_DATA.items():
            made["response"]["clientDataJSON"] = used["response"]["clientDataJSON"] = to_text(client_data)
            refused = await mine.post(PASSKEYS, json={"credential": made})
            answer = await client.post(LOGIN, json={"credential": used})
            where = "/credential/response/clientDataJSON"
            if name == "a challenge that is no base64url":  # the challenge is text to browsers
                assert (refused.status_code, answer.status_code) == (422, 401)
            else:
                assert fields(refused) == fields(answer) == {where: "invalid_format"}, name


def cose(algorithm: int, **changes: Any) -> dict[int, Any]:
    return cose_of(new_key(algorithm)) | {int(name.lstrip("k").replace("m", "-")): v for name, v in changes.items()}


def rsa_of(bits: int, exponent: int = 65537) -> dict[int, Any]:
    numbers = rsa.generate_private_key(exponent, bits).public_key().public_numbers()
    return {1: 3, 3: -257, -1: numbers.n.to_bytes(bits // 8, "big"), -2: numbers.e.to_bytes(3, "big")}


def on_curve(curve: ec.EllipticCurve, number: int, size: int) -> dict[int, Any]:
    point = ec.generate_private_key(curve).public_key().public_numbers()
    return {1: 2, 3: -7, -1: number, -2: point.x.to_bytes(size, "big"), -3: point.y.to_bytes(size, "big")}


KEYS: dict[str, Any] = {
    "EC as RS256": cose(-7, k3=-257),
    "RSA as ES256": cose(-257, k3=-7),
    "Ed25519 as ES256": cose(-8, k3=-7),
    "no algorithm": cose(-7, k3=0),
    "RSA with SHA-1": cose(-257, k3=-65535),
    "ES256 on P-384": on_curve(ec.SECP384R1(), 2, 48),
    "a point off the curve": cose(-7, km3=bytes(32)),
    "a short point": cose(-7, km2=b"\x01"),
    "RSA of 1024 bits": rsa_of(1024),
    "RSA with an empty modulus": cose(-257, km1=b""),
    "RSA of 8000 bits": cose(-257, km1=b"\xff" * 1000),
    "a huge key": cose(-7, k99=b"x" * 2000),
    "texts": {1: "EC2", 3: "ES256"},
    "an empty map": {0: 0},
}


@pytest.mark.asvs("11.6.1")
async def test_keys_that_are_not_of_their_algorithm(people: People) -> None:
    async with people.client(await people.create()) as mine:
        for name, key in KEYS.items():
            answer = await enrol(mine, Authenticator(), cose=key)
            assert (answer.status_code, fields(answer)) == (422, {"/credential": "invalid_choice"}), name
        assert (await mine.get(PASSKEYS)).json()["items"] == []
        assert (await enrol(mine, Authenticator())).status_code == 201


async def test_members_have_bounds_and_those_of_later_standards_are_ignored(people: People) -> None:
    authenticator = Authenticator()
    async with people.client(await people.create()) as mine:
        made = authenticator.create((await mine.post(NEW_OPTIONS)).json())
        long = {**made, "response": {**made["response"], "clientDataJSON": "A" * 5000, "attestationObject": "?"}}
        refused = await mine.post(PASSKEYS, json={"credential": {**long, "id": "A" * 2000}})
        unknown = await mine.post(PASSKEYS, json={"credential": made, "user_id": "other"})
        huge = await mine.post(PASSKEYS, json={"credential": {**made, "id": "A" * 70_000}})
        later = {**made, "clientExtensionResults": {"credProps": {"rk": True}}, "newMember": [{"a": 1}]}
        accepted = await mine.post(PASSKEYS, json={"credential": later})

    assert fields(refused) == {
        "/credential/id": "too_long",
        "/credential/response/clientDataJSON": "too_long",
        "/credential/response/attestationObject": "invalid_format",
    }
    assert fields(unknown) == {"/user_id": "unknown_field"}
    assert (huge.status_code, accepted.status_code) == (413, 201)
