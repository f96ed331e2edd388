"""What is promised to people who register stays promised; ``tests/chaos`` has the long versions."""

import asyncio
from collections import Counter

from tests.support.mailserver import MailServer
from tests.support.service import Registrations, Service
from tests.support.waiting import until

PATIENCE = 120.0


async def test_after_kill_9_everybody_who_was_registered_has_their_mail(
    service: Service, mail: MailServer, registrations: Registrations
) -> None:
    await service.start()
    registering = asyncio.create_task(registrations.make(30))
    await until(lambda: len(registrations.acknowledged) >= 10, PATIENCE)

    await service.kill()
    in_flight = Counter(await service.in_flight())
    await service.start()
    await registering
    await service.until_all_is_sent(PATIENCE)

    registered = await service.registered()
    assert registrations.acknowledged <= registered
    assert set(mail.recipients) == registered
    assert len(set(mail.message_ids)) == len(registered)
    assert Counter(mail.message_ids) - Counter(set(mail.message_ids)) <= in_flight


async def test_a_mail_server_that_was_away_gets_every_mail_once(
    service: Service, mail: MailServer, registrations: Registrations
) -> None:
    await mail.stop()
    await service.start()
    await registrations.make(20)
    await until(lambda: service.server.output.count("mail.postponed") >= 5, PATIENCE)
    assert mail.messages == []

    await mail.start()
    await service.until_all_is_sent(PATIENCE)

    assert sorted(mail.recipients) == sorted(registrations.acknowledged) == sorted(await service.registered())
