"""What is promised to people who register stays promised; ``tests/chaos`` has this with mails in flight, and longer."""

import asyncio

from tests.support.mailserver import MailServer
from tests.support.service import Registrations, Service
from tests.support.waiting import until

PATIENCE = 120.0


async def test_after_kill_9_and_a_mail_server_outage_each_user_has_one_mail(
    service: Service, mail: MailServer, registrations: Registrations
) -> None:
    await mail.stop()
    await service.start()
    registering = asyncio.create_task(registrations.make(30))
    await until(lambda: len(registrations.acknowledged) >= 10, PATIENCE)
    await until(lambda: service.server.output.count("mail.postponed") >= 3, PATIENCE, every=0.1)

    await service.kill()
    await mail.start()
    await service.start()
    await registering
    await service.until_all_is_sent(PATIENCE)

    registered = await service.registered()
    assert registrations.acknowledged <= registered <= registrations.acknowledged | registrations.unanswered
    assert sorted(mail.recipients) == sorted(registered)
    assert len(set(mail.message_ids)) == len(registered)
