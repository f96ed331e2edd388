import asyncio
import json
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.asgi import DOMAINS
from app.core import Core
from app.lib.db.url import DatabaseURL
from app.lib.mail.delivery import Deliverer
from app.lib.mail.mailer import NewMail
from app.lib.mail.templates import MailTemplates
from tests.cli.conftest import Cli, refusal
from tests.cli.test_check import PRODUCTION
from tests.lib.mail.test_bounces import report
from tests.support.apps import make_core
from tests.support.mail import send_queued
from tests.support.mailserver import MailServer, mail_server

SAMPLES = MailTemplates([folder for domain in DOMAINS for folder in domain.mail_templates], {}).samples


@pytest.fixture
def queued(own_url: DatabaseURL) -> None:
    """A mail that waits."""

    async def work(core: Core) -> None:
        async with core.database.independent() as unit:
            mail = NewMail(
                kind="welcome",
                business_id="1",
                to_address="ada@example.com",
                locale="de",
                template="welcome",
                context={"has_password": "yes"},
            )
            await core.mailer.queue(unit, mail)

    with_core(own_url, work)


def with_core(url: DatabaseURL, work: Any) -> None:
    async def main() -> None:
        core = make_core(url)
        async with core.running():
            await work(core)

    asyncio.run(main())


def send_all(url: DatabaseURL) -> None:
    async def work(core: Core) -> None:
        await send_queued(core.services.get(Deliverer), core.database)

    with_core(url, work)


def listed(at: Cli, *options: str) -> list[dict[str, Any]]:
    mails: list[dict[str, Any]] = json.loads(at("mail", "list", "--json", *options).stdout)
    return mails


@pytest.mark.usefixtures("queued")
def test_mails_are_listed(at: Cli, own_url: DatabaseURL) -> None:
    (mail,) = listed(at)
    assert (mail["kind"], mail["to_address"], mail["status"], mail["attempts"]) == (
        "welcome", "ada@example.com", "pending", 0,
    )  # fmt: skip
    send_all(own_url)

    assert listed(at, "--status", "pending") == []
    assert listed(at, "--status", "succeeded")[0]["id"] == mail["id"]
    header, row = at("mail", "list").stdout.splitlines()
    assert header.split() == ["ID", "CREATED", "KIND", "TO", "STATUS", "ATTEMPTS", "ERROR"]
    assert row.split()[0] == mail["id"]
    assert row.split()[3:] == ["welcome", "ada@example.com", "succeeded", "1"]


@pytest.mark.usefixtures("queued")
def test_a_mail_is_sent_again(at: Cli, own_url: DatabaseURL) -> None:
    (before,) = listed(at)
    assert "still waiting" in refusal(at("mail", "retry", before["id"]), 5)
    send_all(own_url)

    assert at("mail", "retry", before["id"]).exit_code == 0

    (again,) = listed(at)
    assert again["status"] == "pending"
    assert again["message_id"] != before["message_id"]
    assert "no such mail" in refusal(at("mail", "retry", str(uuid4())), 5)


@pytest.mark.usefixtures("queued")
def test_a_bounce_is_recorded_by_id_by_message_id_or_from_the_report(at: Cli, own_url: DatabaseURL) -> None:
    (mail,) = listed(at)
    assert "Only a mail that was sent" in refusal(at("mail", "bounce", mail["id"]), 5)
    send_all(own_url)
    piped = report().replace(b"<abc@lodestar.example>", mail["message_id"].encode())
    calls: list[tuple[tuple[str, ...], bytes | None, str]] = [
        ((mail["id"], "--reason", "gone away"), None, "gone away"),
        ((mail["message_id"], "--reason", "moved"), None, "moved"),
        ((), piped, "5.1.1 smtp; 550 5.1.1 no such user"),
    ]
    for arguments, stdin, reason in calls:
        assert at("mail", "bounce", *arguments, stdin=stdin).exit_code == 0
        (bounced,) = listed(at, "--status", "bounced")
        assert bounced["last_error"] == reason

    assert "no such mail" in refusal(at("mail", "bounce", "<unknown@example.com>"), 5)
    assert "no such mail" in refusal(at("mail", "bounce", stdin=report()), 5)
    assert "no report" in at("mail", "bounce", stdin=b"Subject: I am away\n\nBack soon.").stdout


@pytest.mark.parametrize("template", sorted(SAMPLES))
def test_every_mail_can_be_looked_at(cli: Cli, template: str) -> None:
    text = cli("mail", "preview", template).stdout
    german = cli("mail", "preview", template, "--locale", "de-AT").stdout
    html = cli("mail", "preview", template, "--html", PRODUCT_NAME="Polaris").stdout

    assert text.startswith("Subject: ")
    assert german.startswith("Subject: ")
    assert german != text
    assert html.startswith("<!doctype html>")
    assert "Polaris" in html


def test_a_mail_that_is_not_there_cannot_be_looked_at(cli: Cli) -> None:
    assert "is not one of" in refusal(cli("mail", "preview", "farewell"), 2)


def test_a_test_mail_is_sent_at_once(at: Cli, tmp_path: Path) -> None:
    folder = {"MAIL_BACKEND": "file", "MAIL_DIRECTORY": str(tmp_path / "post")}

    result = at("mail", "test", "--to", "ada@example.com", "--locale", "de", **folder)

    assert result.stdout == "A mail to ada@example.com was handed to the file backend.\n"
    (file,) = (tmp_path / "post").iterdir()
    assert message_from_bytes(file.read_bytes())["Subject"] == "Eine Test-E-Mail von Lodestar"
    assert listed(at) == []
    assert "no e-mail address" in refusal(at("mail", "test", "--to", "no-address", **folder), 5)


def test_a_test_mail_says_why_it_is_not_sent(cli: Cli) -> None:
    environ = {"MAIL_BACKEND": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1", "SMTP_TLS": "none"}

    line = refusal(cli("mail", "test", "--to", "ada@example.com", **environ), 1)

    assert line.startswith("Error: The mail is not sent: no connection to the mail server")
    nowhere = refusal(cli("mail", "test", "--to", "ada@example.com", **PRODUCTION), 1)
    assert nowhere.startswith("Error: The mail is not sent: MAIL_BACKEND is console")


async def test_a_test_mail_goes_to_the_server(cli: Cli) -> None:
    async with mail_server() as server:
        environ = {"MAIL_BACKEND": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.port), "SMTP_TLS": "false"}
        result = await asyncio.to_thread(cli, "mail", "test", "--to", "ada@example.com", **environ)
        assert result.exit_code == 0, result.output
        check(server)


def check(server: MailServer) -> None:
    assert server.recipients == ["ada@example.com"]
    assert server.messages[0]["Subject"] == "A test email from Lodestar"
