"""The whole service with a mail server in trouble, and killed while people register. Prints what it measured."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.chaos.conftest import Tell
from tests.support.mailserver import COMMANDS, MailServer
from tests.support.service import Registrations, Service
from tests.support.waiting import PATIENCE, until

TROUBLE_SECONDS = 30.0

PEOPLE = 100
REGISTRATIONS = 1_000
KILLS = 4


@asynccontextmanager
async def down(mail: MailServer) -> AsyncIterator[None]:
    await mail.stop()
    yield
    await mail.start()


@asynccontextmanager
async def answering_451_to_half_of_the_commands(mail: MailServer) -> AsyncIterator[None]:
    mail.script = lambda _command: random.choice(["451 not now", None])  # noqa: S311 - no secret
    yield
    mail.script = lambda _command: None


@asynccontextmanager
async def taking_a_second_for_each_command(mail: MailServer) -> AsyncIterator[None]:
    mail.delays = dict.fromkeys(COMMANDS, 1.0)
    yield
    mail.delays = {}


Trouble = Callable[[MailServer], AbstractAsyncContextManager[None]]


@pytest.mark.parametrize("trouble", [down, answering_451_to_half_of_the_commands, taking_a_second_for_each_command])
async def test_mail_is_there_soon_after_the_recovery(
    service: Service, mail: MailServer, registrations: Registrations, tell: Tell, trouble: Trouble
) -> None:
    await service.start()
    async with trouble(mail):
        over = asyncio.create_task(asyncio.sleep(TROUBLE_SECONDS))
        await registrations.make(PEOPLE, at_once=4, pause=0.9)  # over most of the time
        await over
        early = len(mail.messages)

    recovered = time.monotonic()
    await until(lambda: set(mail.recipients) == registrations.acknowledged, 2 * PATIENCE)
    seconds = time.monotonic() - recovered
    await service.until_all_is_sent()

    tell(f"{PEOPLE} registered, {early} mails before the recovery, all {seconds:.1f} s after it")
    assert Counter(mail.recipients) == Counter(registrations.acknowledged)
    assert len(registrations.acknowledged) == PEOPLE


async def test_kill_9_of_the_whole_server_loses_no_mail(
    service: Service, mail: MailServer, registrations: Registrations, tell: Tell
) -> None:
    mail.pause = 0.05  # so that there are mails in flight whenever the server is killed
    in_flight: Counter[str] = Counter()
    await service.start()
    registering = asyncio.create_task(registrations.make(REGISTRATIONS, at_once=16))
    for kill in range(1, KILLS + 1):
        share = REGISTRATIONS * kill // (KILLS + 1)
        await until(lambda share=share: len(registrations.acknowledged) >= share, 120)  # type: ignore[misc]  # bound now
        await service.kill()
        in_flight.update(await service.in_flight())
        await service.start()
    await registering
    await service.until_all_is_sent()

    registered = await service.registered()
    unanswered = registrations.unanswered & registered
    repeats = Counter(mail.message_ids) - Counter(set(mail.message_ids))
    tell(
        f"{KILLS} kills, {len(registrations.acknowledged)} registered, {len(unanswered)} of"
        f" {len(registrations.unanswered)} unanswered are registered, too; {len(mail.messages)} mails,"
        f" {repeats.total()} repeats, {in_flight.total()} in flight at the kills"
    )
    assert registrations.acknowledged <= registered
    assert registrations.acknowledged | registrations.unanswered >= registered
    assert len(registrations.acknowledged | registrations.unanswered) == REGISTRATIONS
    assert set(mail.recipients) == registered
    assert len(set(mail.message_ids)) == len(registered)
    assert repeats <= in_flight
