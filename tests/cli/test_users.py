import asyncio
import json
import os
import pty
import select
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal, text_of
from tests.support.apps import client_of, make_core, running_app
from tests.support.people import People
from tests.support.processes import PATIENCE, app_command

GOOD = "correct horse battery"


def listed(at: Cli) -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = json.loads(at("users", "list", "--json").stdout)
    return users


def create(at: Cli, email: str, *options: str, password: str = GOOD) -> None:
    result = at("users", "create", "--email", email, *options, "--password-stdin", stdin=f"{password}\n")
    assert result.exit_code == 0, result.output


async def sign_in(url: DatabaseURL, *attempts: tuple[str, str]) -> list[int]:
    """The status of the answer to each e-mail address and password."""
    async with running_app(url) as app, client_of(app) as client:
        forms = [{"username": email, "password": password} for email, password in attempts]
        return [(await client.post("/api/v1/auth/login", data=form)).status_code for form in forms]


def test_accounts_are_created_and_listed(at: Cli) -> None:
    create(at, "Ada@Example.com", "--name", "Ada Lovelace", "--username", "ada.l", "--verified")
    create(at, "grace@example.com")

    ada, grace = listed(at)

    assert (ada["email"], ada["name"], ada["username"]) == ("Ada@Example.com", "Ada Lovelace", "ada.l")
    assert (ada["is_verified"], ada["is_superuser"], ada["is_active"]) == (True, False, True)
    assert (grace["name"], grace["is_verified"]) == (None, False)
    assert not {"password", "password_hash"} & set(ada)
    header, *rows = at("users", "list").stdout.splitlines()
    assert header.split() == ["EMAIL", "USERNAME", "NAME", "ROLES", "ACTIVE", "VERIFIED", "SUPERUSER"]
    assert rows[0].split() == ["Ada@Example.com", "ada.l", "Ada", "Lovelace", "yes", "yes", "no"]


def test_the_first_superuser_comes_from_the_command_line(at: Cli, own_url: DatabaseURL) -> None:
    result = at("users", "create-superuser", "--email", "root@example.com", "--password-stdin", stdin=f"{GOOD}\n")

    assert result.exit_code == 0
    assert result.stdout.startswith("Superuser root@example.com is created")
    [root] = listed(at)
    assert (root["is_superuser"], root["is_verified"]) == (True, True)
    assert asyncio.run(sign_in(own_url, ("root@example.com", GOOD))) == [200]


def test_the_password_is_one_line_without_its_end(at: Cli, own_url: DatabaseURL) -> None:
    """Everything else belongs to it, spaces at both ends included."""
    password = "  correct horse, bätteries  "
    people = {"lf": "\n", "crlf": "\r\n", "end": "", "two-lines": "\nand a second line\n"}
    for name, ending in people.items():
        command = ["users", "create", "--email", f"{name}@example.com", "--password-stdin"]
        assert at(*command, stdin=f"{password}{ending}").exit_code == 0

    good = asyncio.run(sign_in(own_url, *((f"{name}@example.com", password) for name in people)))
    stripped = asyncio.run(sign_in(own_url, ("lf@example.com", password.strip())))

    assert (good, stripped) == ([200] * 4, [401])


@pytest.mark.parametrize(
    ("stdin", "line"), [("", "empty"), ("\n", "empty"), (b"\xff\xfe\n", "not UTF-8"), (b"\xed\xa0\x80\n", "not UTF-8")]
)
def test_what_is_no_password_is_wrong_usage(cli: Cli, stdin: str | bytes, line: str) -> None:
    command = ["users", "create", "--email", "ada@example.com", "--password-stdin"]

    assert line in refusal(cli(*command, stdin=stdin), 2)


def test_without_a_terminal_the_password_comes_from_stdin(cli: Cli) -> None:
    assert "use --password-stdin" in refusal(cli("users", "create", "--email", "ada@example.com"), 2)


def test_password_rules_hold_on_the_command_line(at: Cli) -> None:
    create(at, "lovelace@example.com")
    options = ["--email", "lovelace@example.com", "--password-stdin"]
    other = ["--email", "other@example.com", "--name", "Ada Lovelace", "--password-stdin"]
    refused = {
        "short": "password: Must have at least 8 characters.",
        "password123": "password: Many people use this password, perhaps with another sign. Choose another.",
        "my Lodestar secret": "password: Must not contain the name of this service.",
        "Lovelace for ever": "password: Must not contain your name, username or e-mail address.",
    }

    for password, line in refused.items():
        assert line in refusal(at("users", "create", *other, stdin=password), 1)
        assert line in refusal(at("users", "set-password", *options, stdin=password), 1)

    assert len(listed(at)) == 1


def test_a_taken_name_or_address_is_refused(at: Cli) -> None:
    create(at, "ada@example.com", "--username", "ada.l")

    taken = ["--email", "ADA@example.com", "--password-stdin"]
    assert refusal(at("users", "create", *taken, stdin=GOOD), 5) == "Error: email: Is taken."
    assert refusal(at("users", "create-superuser", *taken, stdin=GOOD), 5) == (
        "Error: email: Is taken. With --promote that user becomes a superuser."
    )
    other = ["--email", "other@example.com", "--username", "Ada.L", "--password-stdin"]
    assert refusal(at("users", "create", *other, stdin=GOOD), 5) == "Error: username: Is taken."


def test_an_existing_user_becomes_a_superuser(at: Cli, own_url: DatabaseURL) -> None:
    create(at, "ada@example.com")
    command = ["users", "create-superuser", "--promote", "--email"]

    assert at(*command, "ADA@example.com").stdout == "ada@example.com is a superuser now.\n"
    assert at(*command, "ada@example.com").exit_code == 0

    [ada] = listed(at)
    assert (ada["is_superuser"], ada["version"]) == (True, 2)
    assert asyncio.run(sign_in(own_url, ("ada@example.com", GOOD))) == [200]
    assert "Without --promote it is created." in refusal(at(*command, "unknown@example.com"), 5)


def test_all_mistakes_are_shown_at_once(at: Cli) -> None:
    options = ["--email", "no-address", "--username", "x", "--name", "y", "--password-stdin"]

    line = refusal(at("users", "create", *options, stdin=GOOD), 1)

    assert "email: " in line
    assert "username: " in line
    assert "name: " in line


async def test_a_new_password_ends_the_sessions(at: Cli, own_url: DatabaseURL) -> None:
    await asyncio.to_thread(create, at, "ada@example.com")
    form = {"username": "ada@example.com", "password": GOOD}
    async with running_app(own_url, AUTH_CACHE_SECONDS="0") as app, client_of(app) as client:
        token = (await client.post("/api/v1/auth/login", data=form)).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/api/v1/users/me", headers=bearer)).status_code == 200

        command = ["users", "set-password", "--email", "ADA@example.com", "--password-stdin"]
        result = await asyncio.to_thread(at, *command, stdin="another horse battery\n")

        assert result.exit_code == 0, result.output
        assert (await client.get("/api/v1/users/me", headers=bearer)).status_code == 401
        assert (await client.post("/api/v1/auth/login", data=form)).status_code == 401
        form["password"] = "another horse battery"
        assert (await client.post("/api/v1/auth/login", data=form)).status_code == 200


@pytest.mark.parametrize("email", ["unknown@example.com", "no address"])
def test_an_unknown_account_is_refused(at: Cli, email: str) -> None:
    result = at("users", "set-password", "--email", email, "--password-stdin", stdin=GOOD)

    refusal(result, 5 if "@" in email else 1)


def test_more_accounts_than_a_page_are_all_listed(at: Cli, own_url: DatabaseURL) -> None:
    emails = [f"person{number:03}@example.com" for number in range(103)]
    asyncio.run(insert_users(own_url, emails))

    assert [user["email"] for user in listed(at)] == emails


def test_a_schema_that_is_not_migrated_is_refused(cli: Cli, empty_url: DatabaseURL) -> None:
    line = refusal(cli("users", "list", DATABASE_URL=text_of(empty_url)), 1)

    assert line == "Error: The database schema is not up to date: run 'app db upgrade'."


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (f"{GOOD}\nanother\n{GOOD}\n{GOOD}\n", 0, "is created"),
        (f"short\nshort\n{GOOD}\n{GOOD}\n", 0, "password: Must have at least 8 characters. Try again"),
        ("\x04", 130, "Interrupted."),  # Ctrl-D
    ],
)
def test_a_person_is_asked_twice_and_not_overheard(own_url: DatabaseURL, typed: str, code: int, said: str) -> None:
    environ = os.environ | {"DATABASE_URL": text_of(own_url)}
    ours, theirs = pty.openpty()
    command = app_command("users", "create", "--email", "ada@example.com")
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=environ, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        screen = _type(ours, typed)
        output = process.stdout.read().decode() if process.stdout else ""
        assert process.wait(PATIENCE) == code, screen
    assert said in output + screen
    assert GOOD not in output + screen


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_a_person_is_asked_for_no_password_that_cannot_be_used(
    at: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    create(at, "ada@example.com", "--username", "ada.l")
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    new = ("users", "create", "--email")

    def refused(code: int, *command: str, **environ: str) -> str:
        line = refusal(at(*command, stdin="", **environ), code)  # a prompt would add a line, and end with 130
        assert "password" not in line
        return line

    assert refused(5, *new, "ADA@example.com") == "Error: email: Is taken."
    assert refused(5, *new, "b@example.com", "--username", "Ada.L") == "Error: username: Is taken."
    assert "email: " in refused(1, *new, "no-address")
    assert "--promote" in refused(5, "users", "create-superuser", "--email", "ada@example.com")
    assert "no user" in refused(5, "users", "set-password", "--email", "b@example.com")
    empty = f"sqlite:///{tmp_path}/empty.db"
    assert "app db upgrade" in refused(1, "users", "create-superuser", "--email", "b@example.com", DATABASE_URL=empty)
    assert [each["email"] for each in listed(at)] == ["ada@example.com"]


def _type(terminal: int, text: str) -> str:
    """Types a line whenever there is a prompt; what the screen shows."""
    screen, lines = b"", text.splitlines(keepends=True)
    while True:
        assert select.select([terminal], [], [], PATIENCE)[0], screen
        try:
            read = os.read(terminal, 1024)
        except OSError:  # Linux says so when the other end is closed
            read = b""
        if not read:
            os.close(terminal)
            return screen.decode()
        screen += read
        if screen.endswith((b"Password: ", b"confirmation: ")) and lines:
            os.write(terminal, lines.pop(0).encode())


async def insert_users(url: DatabaseURL, emails: list[str]) -> None:
    core = make_core(url)
    people = People(core)
    for email in emails:
        await people.create(email=email)
    await core.database.close()
