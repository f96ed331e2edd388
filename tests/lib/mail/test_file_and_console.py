"""The ways out that need no server."""

import asyncio
import sys
from email import message_from_bytes
from pathlib import Path

import pytest

from app.lib.mail.message import Mailbox
from app.lib.mail.transports import ConsoleTransport, FileTransport, TemporaryFailure
from tests.lib.mail.test_message import outgoing


async def test_each_mail_is_a_file_of_its_own(tmp_path: Path) -> None:
    transport = FileTransport(tmp_path / "a" / "b")

    await asyncio.gather(*(transport.send(outgoing(message_id=f"<{n}@example.com>")) for n in (1, 2, 2)))

    files = sorted((tmp_path / "a" / "b").iterdir())
    assert [file.name for file in files] == ["1.eml", "2.eml"]
    assert message_from_bytes(files[1].read_bytes())["Message-ID"] == "<2@example.com>"
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


async def test_a_folder_that_cannot_be_written_is_temporary(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(TemporaryFailure):
        await FileTransport(tmp_path / "taken").send(outgoing())


async def test_the_console_shows_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    mail = outgoing(to=Mailbox("ada@example.com"), text="Grüße: https://lodestar.example/x\n\x1b[31mred\n")
    await ConsoleTransport().send(mail)

    shown = capsys.readouterr()
    assert shown.out == "", "standard output is the log's"
    assert "To: ada@example.com\nSubject: Welcome\n\nGrüße: https://lodestar.example/x\n?[31mred\n" in shown.err


async def test_a_console_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, _text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())

    await ConsoleTransport().send(outgoing())
