"""Look-ups by name, against a name server of the test."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from app.lib.mail.smtp import SMTPOptions, SMTPTransport
from app.lib.mail.transports import TemporaryFailure
from app.lib.names import Names
from tests.lib.mail.test_message import outgoing
from tests.support.mailserver import mail_server
from tests.support.waiting import until

_A, _POINTER, _NO_SUCH_NAME = 1, b"\xc0\x0c", 3
_ANSWER, _ONE = b"\x81\x80", b"\x00\x01"


class NameServer(asyncio.DatagramProtocol):
    """Answers 127.0.0.1 for ``good…``, that there is no such name for ``bad…``, and nothing at all for others."""

    transport: asyncio.DatagramTransport
    asked: list[str]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.asked = cast("asyncio.DatagramTransport", transport), []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(0, 12)
        name, kind = data[13:end].decode("latin-1"), int.from_bytes(data[end + 1 : end + 3])
        self.asked.append(name)
        question = data[12 : end + 5]
        if name.startswith("good"):
            record = _POINTER + b"\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01"
            count, records = (_ONE, record) if kind == _A else (b"\x00\x00", b"")
            self.transport.sendto(data[:2] + _ANSWER + _ONE + count + bytes(4) + question + records, addr)
        elif name.startswith("bad"):
            flags = bytes([_ANSWER[0], _ANSWER[1] | _NO_SUCH_NAME])
            self.transport.sendto(data[:2] + flags + _ONE + bytes(6) + question, addr)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    yield protocol
    transport.close()


def names_of(server: NameServer) -> Names:
    port = server.transport.get_extra_info("sockname")[1]
    return Names([f"127.0.0.1:{port}"])


async def test_names_that_hang_delay_no_other(server: NameServer) -> None:
    names = names_of(server)
    hanging = [asyncio.create_task(names(f"hangs{number}.example.com", 443)) for number in range(64)]
    await until(lambda: len(set(server.asked)) == len(hanging))

    found = [await names(f"good{number}.example.com", 443) for number in range(3)]

    assert found == [["127.0.0.1"]] * 3
    assert not any(each.done() for each in hanging)
    for each in hanging:
        each.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_name_that_leads_nowhere_is_a_fault_of_the_network(server: NameServer) -> None:
    for host in ("bad.example.com", "two..dots", "x" * 300):
        with pytest.raises(OSError, match=r"."):
            await names_of(server)(host, 443)


async def test_a_mail_server_whose_name_hangs_takes_no_thread_of_others(server: NameServer) -> None:
    """The driver would ask in the few threads of the loop."""
    names = names_of(server)
    async with mail_server() as mails:
        options = SMTPOptions(host="hangs.example.com", port=mails.port, security="none", connect_seconds=60)
        stuck = SMTPTransport(options, names)
        sending = [asyncio.create_task(stuck.send(outgoing())) for _ in range(5)]
        await until(lambda: bool(server.asked))
        good = SMTPOptions(host="good.example.com", port=mails.port, security="none")
        await SMTPTransport(good, names).send(outgoing())
        assert await asyncio.to_thread(json.loads, "[1]") == [1]
        outcomes = await asyncio.gather(*sending, return_exceptions=True)

    assert len(mails.messages) == 1
    assert all(isinstance(each, TemporaryFailure) for each in outcomes)
