"""Mails of the table, sent once: with failures, second workers, crashes and clocks."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy.exc import OperationalError

from app.lib.db.base import new_id
from app.lib.jobs import JobContext, RetryLater
from app.lib.mail import delivery
from app.lib.mail.delivery import LEASE, Deliverer, Delivery
from app.lib.mail.jobs import send_mail
from app.lib.mail.mailer import SendMail
from app.lib.mail.repository import MailRepository
from app.lib.mail.rows import MailStatus
from app.lib.mail.transports import PermanentFailure, TemporaryFailure
from tests.lib.mail.conftest import PostOffice, Tray

SENT, GONE = Delivery(MailStatus.SENT), Delivery(None)


async def test_a_queued_mail_is_sent_once(post: PostOffice) -> None:
    mail_id = await post.queue()

    assert await post.deliverer.deliver(mail_id) == SENT
    assert await post.deliverer.deliver(mail_id) == GONE

    (mail,) = post.tray.sent
    row = await post.row(mail_id)
    assert (mail.to.address, mail.subject, mail.message_id) == ("ada@example.com", "Hello Ada", row.message_id)
    assert (row.status, row.attempts, row.claimed_until, row.last_error) == ("sent", 1, None, None)
    assert row.sent_at >= row.created_at


async def test_a_mail_that_is_not_there_is_nothing(post: PostOffice) -> None:
    assert await post.deliverer.deliver(new_id()) == GONE


async def test_many_workers_send_one_mail(post: PostOffice) -> None:
    mail_id = await post.queue()

    outcomes = await asyncio.gather(*(post.deliverer.deliver(mail_id) for _ in range(8)))

    assert len(post.tray.sent) == 1
    assert outcomes.count(SENT) == 1
    assert {outcome.status for outcome in outcomes} <= {MailStatus.SENT, MailStatus.QUEUED, None}


async def test_a_temporary_failure_is_tried_again_soon(post: PostOffice) -> None:
    mail_id = await post.queue()
    post.tray.failures = [TemporaryFailure("451 later\r\nX: y")]

    outcome = await post.deliverer.deliver(mail_id)

    assert outcome.status is MailStatus.QUEUED
    assert outcome.retry_in is not None
    assert timedelta(0) < outcome.retry_in <= timedelta(seconds=15)
    row = await post.row(mail_id)
    assert (row.status, row.attempts, row.claimed_until, row.last_error) == ("queued", 1, None, "451 later X: y")
    assert await post.deliverer.deliver(mail_id) == SENT
    assert (await post.row(mail_id)).last_error is None


async def test_a_permanent_failure_is_the_end(post: PostOffice) -> None:
    mail_id = await post.queue(secrets={"link": "https://toys.example/secret"})
    post.tray.failures = [PermanentFailure("550 no such user")]

    assert await post.deliverer.deliver(mail_id) == Delivery(MailStatus.FAILED)
    assert await post.deliverer.deliver(mail_id) == GONE

    row = await post.row(mail_id)
    assert (row.status, row.last_error, row.secrets) == ("failed", "550 no such user", None)


async def test_after_a_day_it_is_given_up(post: PostOffice) -> None:
    mail_id = await post.queue()
    await post.change(mail_id, queued_at=datetime.now(UTC) - timedelta(hours=25))
    post.tray.failures = [TemporaryFailure("451 later")]

    assert await post.deliverer.deliver(mail_id) == Delivery(MailStatus.FAILED)
    assert (await post.row(mail_id)).last_error == "given up: 451 later"


async def test_a_mail_whose_worker_was_killed_is_sent_by_another(post: PostOffice) -> None:
    """The lease is all that is left of the dead worker."""
    mail_id = await post.queue()
    async with post.database.independent() as unit:
        assert await MailRepository(unit.session).claim(mail_id, datetime.now(UTC), LEASE)

    busy = await post.deliverer.deliver(mail_id)
    assert busy.status is MailStatus.QUEUED
    assert busy.retry_in is not None
    assert busy.retry_in <= LEASE < timedelta(seconds=15)
    with time_machine.travel(datetime.now(UTC) + LEASE, tick=False):
        assert await post.deliverer.deliver(mail_id) == SENT
    assert (await post.row(mail_id)).attempts == 2


@pytest.mark.parametrize("seconds", [0.001, 1, 11])
async def test_a_worker_whose_clock_is_behind_takes_nothing_away(post: PostOffice, seconds: float) -> None:
    """Or who looked at the clock first and came to the row second."""
    mail_id, now = await post.queue(), datetime.now(UTC)
    async with post.database.independent() as unit:
        assert await MailRepository(unit.session).claim(mail_id, now, LEASE)
        assert not await MailRepository(unit.session).claim(mail_id, now - timedelta(seconds=seconds), LEASE)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_set_leaves_no_mail_stuck(post: PostOffice, hours: int) -> None:
    mail_id = await post.queue()
    async with post.database.independent() as unit:
        await MailRepository(unit.session).claim(mail_id, datetime.now(UTC), LEASE)

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours), tick=False):
        assert await post.deliverer.deliver(mail_id) == SENT


async def test_a_slow_server_keeps_the_claim(post: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_SIGN_OF_LIFE_SECONDS", 0.01)
    mail_id = await post.queue()
    first: list[Any] = []

    async def extended() -> None:
        first.append((await post.row(mail_id)).claimed_until)
        for _ in range(500):
            if (await post.row(mail_id)).claimed_until > first[0]:
                return
            await asyncio.sleep(0.01)
        raise TimeoutError

    post.tray.before = extended

    assert await post.deliverer.deliver(mail_id) == SENT
    assert first


async def test_a_claim_that_cannot_be_extended_does_not_stop_the_mail(
    post: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_SIGN_OF_LIFE_SECONDS", 0.001)
    tried = asyncio.Event()

    async def fail(*_arguments: Any) -> bool:
        tried.set()
        raise OperationalError(None, None, OSError("gone"))

    monkeypatch.setattr(MailRepository, "extend", fail)
    post.tray.before = tried.wait

    assert await post.deliverer.deliver(await post.queue()) == SENT


async def test_who_lost_the_claim_does_not_undo_what_the_other_did(post: PostOffice) -> None:
    """The first worker stands still for longer than its lease and then fails; the second has sent meanwhile."""
    mail_id = await post.queue()
    second = Tray()

    async def overtaken() -> None:
        post.tray.before = None
        with time_machine.travel(datetime.now(UTC) + LEASE, tick=False):
            assert await post.deliverer_by(second).deliver(mail_id) == SENT

    post.tray.before = overtaken
    post.tray.failures = [PermanentFailure("550 too late")]
    await post.deliverer.deliver(mail_id)

    row = await post.row(mail_id)
    assert (row.status, row.last_error, len(second.sent)) == ("sent", None, 1)


async def test_a_crash_after_the_servers_250_repeats_with_the_same_message_id(post: PostOffice) -> None:
    mail_id = await post.queue()

    async def die(*_arguments: Any, **_options: Any) -> bool:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MailRepository, "sent", die)
        with pytest.raises(KeyboardInterrupt):
            await post.deliverer.deliver(mail_id)
    with time_machine.travel(datetime.now(UTC) + LEASE, tick=False):
        assert await post.deliverer.deliver(mail_id) == SENT

    first, again = post.tray.sent
    assert first.encoded() == again.encoded()


async def test_what_a_person_does_not_want_is_not_sent(post: PostOffice) -> None:
    ada, eve = new_id(), new_id()
    post.wishes.muted = {(ada, "hints")}
    unwanted = await post.queue("1", user_id=ada, topic="hints")
    essential = await post.queue("2", user_id=ada)
    wanted = await post.queue("3", user_id=eve, topic="hints")

    assert await post.deliverer.deliver(unwanted) == Delivery(MailStatus.SUPPRESSED)
    assert await post.deliverer.deliver(essential) == SENT
    assert await post.deliverer.deliver(wanted) == SENT

    urls = [mail.unsubscribe_url for mail in post.tray.sent]
    assert urls == [None, f"https://toys.example/out?token=hints.{eve}"]
    assert str(urls[1]) in post.tray.sent[1].text


async def test_secrets_are_in_the_mail_and_then_nowhere(post: PostOffice) -> None:
    mail_id = await post.queue(secrets={"link": "https://toys.example/secret"})
    before = await post.row(mail_id)
    assert b"toys.example" not in before.secrets
    assert "secret" not in str(before.context)

    await post.deliverer.deliver(mail_id)

    assert "https://toys.example/secret" in post.tray.sent[0].text
    assert (await post.row(mail_id)).secrets is None


async def test_in_development_secrets_stay_to_be_looked_at(post: PostOffice) -> None:
    mail_id = await post.queue(secrets={"link": "https://toys.example/secret"})

    await post.deliverer_by(post.tray, keep_secrets=True).deliver(mail_id)

    assert (await post.row(mail_id)).secrets is not None


@pytest.mark.parametrize(
    "changes",
    [{"template": "farewell"}, {"context": {}}, {"secrets": b"broken"}, {"to_address": "nobody"}],
    ids=str,
)
async def test_a_mail_that_cannot_be_composed_fails_at_once(post: PostOffice, changes: dict[str, Any]) -> None:
    mail_id = await post.queue()
    await post.change(mail_id, **changes)

    assert await post.deliverer.deliver(mail_id) == Delivery(MailStatus.FAILED)
    assert (await post.row(mail_id)).last_error


async def test_a_mail_that_was_deleted_while_it_was_sent_stays_deleted(post: PostOffice) -> None:
    ada = new_id()
    mail_id = await post.queue(user_id=ada)

    async def forget() -> None:
        async with post.database.independent() as unit:
            await MailRepository(unit.session).delete_of(ada)

    post.tray.before = forget

    assert await post.deliverer.deliver(mail_id) == SENT
    assert await post.row(mail_id) is None


async def test_what_is_due_is_sent_without_a_queue(post: PostOffice) -> None:
    for number in range(7):
        await post.queue(str(number))
    later = await post.queue("later")
    await post.change(later, next_attempt_at=datetime.now(UTC) + timedelta(minutes=1))

    assert [await post.deliverer.deliver_due(5) for _ in range(3)] == [5, 2, 0]
    assert len({mail.message_id for mail in post.tray.sent}) == 7


async def test_a_database_that_fails_once_stops_no_other_mail(post: PostOffice) -> None:
    for number in range(5):
        await post.queue(str(number))
    claim, failures = MailRepository.claim, [OperationalError(None, None, OSError("gone"))]

    async def fail_once(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await claim(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MailRepository, "claim", fail_once)
        with pytest.raises(OperationalError):
            await post.deliverer.deliver_due()
    assert len(post.tray.sent) == 4
    assert await post.deliverer.deliver_due() == 1


async def test_a_job_says_when_it_wants_to_run_again(post: PostOffice) -> None:
    context = JobContext(
        job_id=new_id(),
        name=send_mail.name,
        attempt=1,
        is_last_attempt=False,
        request_id=None,
        database=post.database,
        services={Deliverer: post.deliverer},
    )
    mail_id = await post.queue()
    post.tray.failures = [TemporaryFailure("451 later")]

    with pytest.raises(RetryLater) as caught:
        await send_mail.run(SendMail(mail_id), context)
    assert (caught.value.seconds or 0) <= 15
    await send_mail.run(SendMail(mail_id), context)
    await send_mail.run(SendMail(mail_id), context)

    assert len(post.tray.sent) == 1


async def test_old_mails_are_purged_and_waiting_ones_stay(post: PostOffice) -> None:
    sent, waiting = await post.queue("1"), await post.queue("2")
    await post.deliverer.deliver(sent)
    for mail_id in (sent, waiting):
        await post.change(mail_id, created_at=datetime.now(UTC) - timedelta(days=91))
    async with post.database.independent() as unit:
        await MailRepository(unit.session).purge(datetime.now(UTC) - timedelta(days=90))

    assert await post.row(sent) is None
    assert (await post.row(waiting)).status == "queued"
