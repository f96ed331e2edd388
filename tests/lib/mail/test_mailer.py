"""Mails come into the table with what they tell about, and once."""

import asyncio
from typing import Any

import pytest

from app.lib.db.base import new_id
from app.lib.mail.jobs import SendMail
from app.lib.mail.mailer import MailNotFound, MailNotSent, MailSecretsGone, MailStillPending, NewMail
from app.lib.mail.rows import MailStatus
from app.lib.mail.transports import PermanentFailure
from tests.lib.mail.conftest import PostOffice


def new_mail(**changes: Any) -> NewMail:
    values: dict[str, Any] = {
        "kind": "greeting",
        "business_id": "1",
        "to_address": "ada@example.com",
        "locale": "en",
        "template": "greeting",
        "context": {"who": "Ada"},
    }
    return NewMail(**{**values, **changes})


async def test_the_same_mail_is_queued_once(post: PostOffice) -> None:
    async with post.database.independent() as unit:
        assert await post.mailer.queue(unit, new_mail())
        assert not await post.mailer.queue(unit, new_mail(to_address="eve@example.com"))
        assert await post.mailer.queue(unit, new_mail(business_id="2"))
        assert await post.mailer.queue(unit, new_mail(kind="farewell"))

    assert len(await post.jobs()) == len(await post.reads.newest(10)) == 3


async def test_many_at_once_queue_it_once(post: PostOffice) -> None:
    async def try_it() -> bool:
        async with post.database.independent() as unit:
            return await post.mailer.queue(unit, new_mail())

    assert sorted(await asyncio.gather(*(try_it() for _ in range(5)))) == [False] * 4 + [True]
    assert len(await post.jobs()) == 1


async def test_what_is_rolled_back_was_never_queued(post: PostOffice) -> None:
    async def fail_afterwards() -> None:
        async with post.database.independent() as unit:
            await post.mailer.queue(unit, new_mail())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_afterwards()

    assert await post.reads.newest(10) == []
    assert await post.jobs() == []


async def test_a_mail_is_sent_again_with_another_message_id(post: PostOffice) -> None:
    mail_id = await post.queue()
    post.tray.failures = [PermanentFailure("550 no")]
    await post.deliverer.deliver(mail_id)

    for retries in (1, 2):
        async with post.database.independent() as unit:
            await post.mailer.retry(unit, mail_id)
        await post.deliverer.deliver(mail_id, retries)

    assert len({mail.message_id for mail in post.tray.sent}) == 2
    row = await post.row(mail_id)
    assert (row.status, row.retries, row.last_error) == ("succeeded", 2, None)
    assert await post.jobs() == [SendMail(mail_id, retries, row.user_id) for retries in range(3)]


async def test_what_waits_or_is_not_there_is_not_sent_again(post: PostOffice) -> None:
    mail_id = await post.queue()
    async with post.database.independent() as unit:
        with pytest.raises(MailStillPending):
            await post.mailer.retry(unit, mail_id)
        with pytest.raises(MailNotFound):
            await post.mailer.retry(unit, new_id())


async def test_a_mail_whose_secret_is_gone_is_not_sent_again(post: PostOffice) -> None:
    mail_id = await post.queue(secrets={"link": "https://toys.example/secret"})
    await post.deliverer.deliver(mail_id)

    async with post.database.independent() as unit:
        with pytest.raises(MailSecretsGone):
            await post.mailer.retry(unit, mail_id)


async def test_of_several_resends_at_once_one_is_done(post: PostOffice) -> None:
    mail_id = await post.queue()
    await post.deliverer.deliver(mail_id)

    async def resend() -> None:
        async with post.database.independent() as unit:
            await post.mailer.retry(unit, mail_id)

    outcomes = await asyncio.gather(*(resend() for _ in range(4)), return_exceptions=True)

    assert [type(each) for each in outcomes].count(MailStillPending) == 3
    assert (await post.row(mail_id)).retries == 1


async def test_a_bounce_is_recorded_of_what_was_sent(post: PostOffice) -> None:
    mail_id = await post.queue()
    async with post.database.independent() as unit:
        with pytest.raises(MailNotSent):
            await post.mailer.record_bounce(unit, mail_id, "550")
    await post.deliverer.deliver(mail_id)
    row = await post.row(mail_id)
    found = await post.reads.id_of(row.message_id)
    assert found == mail_id
    async with post.database.independent() as unit:
        await post.mailer.record_bounce(unit, mail_id, "5.1.1 550\r\nno such user " + "x" * 1000)

    row = await post.row(mail_id)
    assert (row.status, row.last_error[:25], len(row.last_error)) == ("bounced", "5.1.1 550 no such user xx", 500)
    assert [mail.id for mail in await post.reads.newest(10, MailStatus.BOUNCED)] == [mail_id]
    assert await post.reads.newest(10, MailStatus.SUCCEEDED) == []
