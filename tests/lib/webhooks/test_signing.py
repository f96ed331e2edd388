"""Signatures, held against the reference implementation of Standard Webhooks."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.lib.clock import utc_now
from app.lib.webhooks.signing import new_secret, show_secret, signed_headers

BODY = '{"type":"user.updated","data":{"name":"Grüße"}}'


def test_a_receiver_verifies_what_we_sign() -> None:
    key = new_secret()

    headers = signed_headers([key], "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", utc_now(), BODY.encode())

    assert Webhook(show_secret(key)).verify(BODY, headers) == {"type": "user.updated", "data": {"name": "Grüße"}}


def test_while_two_secrets_are_valid_either_verifies() -> None:
    present, former = new_secret(), new_secret()

    headers = signed_headers([present, former], "id", utc_now(), BODY.encode())

    assert headers["webhook-signature"].count("v1,") == 2
    for key in (present, former):
        Webhook(show_secret(key)).verify(BODY, headers)


@pytest.mark.parametrize(
    "change",
    [{"webhook-id": "other"}, {"webhook-signature": "v1,AAAA"}, {"body": BODY + " "}, {"key": new_secret()}],
)
def test_any_change_is_noticed(change: dict[str, object]) -> None:
    key = new_secret()
    headers = signed_headers([key], "id", utc_now(), BODY.encode())
    body, verifier = str(change.pop("body", BODY)), change.pop("key", key)

    assert isinstance(verifier, bytes)
    with pytest.raises(WebhookVerificationError):
        Webhook(show_secret(verifier)).verify(body, {**headers, **{name: str(v) for name, v in change.items()}})


def test_a_replayed_request_is_too_old() -> None:
    key = new_secret()
    headers = signed_headers([key], "id", utc_now() - timedelta(minutes=6), BODY.encode())

    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(show_secret(key)).verify(BODY, headers)


def test_the_example_of_the_specification() -> None:
    """From the specification's own test vector."""
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)

    headers = signed_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')

    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_random_and_shown_in_base64() -> None:
    keys = {new_secret() for _ in range(100)}

    assert len(keys) == 100
    assert all(len(key) == 32 and b64decode(show_secret(key).removeprefix("whsec_")) == key for key in keys)
