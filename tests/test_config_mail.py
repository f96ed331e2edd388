"""Where mail goes and who it comes from, by the settings."""

import pytest

from app.lib.mail.message import Mailbox
from tests.support.environment import refusal, settings_from

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "u6Yp3ZrQw9Lk2Vx8Nt4Bs7Hd1Fg5Jc0Ma",
    "PUBLIC_URL": "https://192.0.2.1",
}


@pytest.mark.parametrize(
    ("environ", "sender"),
    [
        ({}, Mailbox("noreply@localhost", "Lodestar")),
        ({"HOST": "::1"}, Mailbox("noreply@localhost", "Lodestar")),
        ({"PUBLIC_URL": "https://api.example.com:8443"}, Mailbox("noreply@api.example.com", "Lodestar")),
        ({"PUBLIC_URL": "https://ex\u00e4mple.com"}, Mailbox("noreply@xn--exmple-cua.com", "Lodestar")),
        ({"PUBLIC_URL": "http://my_service:8080"}, Mailbox("noreply@localhost", "Lodestar")),
        ({"PRODUCT_NAME": "Polaris"}, Mailbox("noreply@localhost", "Polaris")),
        ({"MAIL_FROM": "post@example.com", "PRODUCT_NAME": "Polaris"}, Mailbox("post@example.com", "Polaris")),
        ({"MAIL_FROM": "Post Office <post@example.com>"}, Mailbox("post@example.com", "Post Office")),
    ],
    ids=str,
)
def test_mail_comes_from_where_people_reach_the_service(environ: dict[str, str], sender: Mailbox) -> None:
    assert settings_from(**environ).mail_sender == sender


@pytest.mark.parametrize(
    ("given", "security", "port"),
    [("starttls", "starttls", 587), ("implicit", "implicit", 465), ("none", "none", 25), ("FALSE", "none", 25)],
)
def test_the_port_follows_from_the_security(given: str, security: str, port: int) -> None:
    server = {"MAIL_BACKEND": "smtp", "SMTP_HOST": "smtp.internal", "MAIL_FROM": "post@example.com"}
    derived = settings_from(SMTP_TLS=given, **server).smtp
    given_too = settings_from(SMTP_TLS=given, SMTP_PORT="2525", **server).smtp

    assert derived is not None
    assert given_too is not None
    assert (derived.security, derived.port, given_too.port) == (security, port, 2525)


def test_smtp_needs_a_server_and_a_password_needs_a_user() -> None:
    assert refusal(MAIL_BACKEND="smtp").startswith("SMTP_HOST: ")
    assert refusal(SMTP_PASSWORD="hidden") == "SMTP_USER: required with SMTP_PASSWORD"
    settings = settings_from(MAIL_BACKEND="smtp", SMTP_HOST="smtp.internal", SMTP_USER="me", SMTP_PASSWORD="hidden")
    assert "hidden" not in repr(settings)


def test_production_does_not_send_in_the_name_of_localhost() -> None:
    smtp = {**PRODUCTION, "MAIL_BACKEND": "smtp", "SMTP_HOST": "smtp.internal"}

    assert refusal(**smtp).startswith("MAIL_FROM: ")
    assert settings_from(**{**smtp, "PUBLIC_URL": "https://api.example.com"}).mail_sender.domain == "api.example.com"


@pytest.mark.parametrize(("environment", "shown"), [("development", True), ("test", False), ("production", False)])
def test_the_mailbox_is_for_development(environment: str, shown: bool) -> None:
    assert settings_from(**{**PRODUCTION, "ENVIRONMENT": environment}).shows_mailbox is shown


@pytest.mark.parametrize("text", ["a@b.example, c@d.example", "A <a@b.example> x", "A <a@b.example> <c@d.example>"])
def test_a_sender_is_one_address_with_nothing_behind_it(text: str) -> None:
    smtp = {**PRODUCTION, "MAIL_BACKEND": "smtp", "SMTP_HOST": "smtp.internal", "MAIL_FROM": text}

    assert refusal(**smtp).startswith("MAIL_FROM: ")
