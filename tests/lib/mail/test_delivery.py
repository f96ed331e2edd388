"""Mails of the table, sent once: with failures, second workers and crashes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.lib.db.base import new_id
from app.lib.jobs import JobContext, NoPayload, RetryLater, registry_of
from app.lib.jobs.execution import Executor
from app.lib.jobs.operations import JobOperations
from app.lib.jobs.tables import QueuedJob
from app.lib.jobs.worker import Worker, WorkerOptions
from app.lib.mail.delivery import LIFETIME, Deliverer
from app.lib.mail.jobs import RETRY, SendMail, purge_mails, send_mail, sweep_mails
from app.lib.mail.repository import DELETE_MAILS_OF
from app.lib.mail.transports import PermanentFailure, TemporaryFailure
from app.lib.services import Services
from tests.lib.mail.conftest import PostOffice, Tray
from tests.support.waiting import until


def context_of(post: PostOffice) -> JobContext:
    return JobContext(
        job_id=new_id(),
        name="test",
        attempt=1,
        is_last_attempt=False,
        request_id=None,
        database=post.database,
        services=Services(post.deliverer),
    )


async def test_a_queued_mail_is_sent_once(post: PostOffice) -> None:
    mail_id = await post.queue()

    await post.deliverer.deliver(mail_id)
    await post.deliverer.deliver(mail_id)
    await post.deliverer.deliver(new_id())

    (mail,) = post.tray.sent
    row = await post.row(mail_id)
    assert (mail.to.address, mail.subject, mail.message_id) == ("ada@example.com", "Hello Ada", row.message_id)
    assert (row.status, row.attempts, row.last_error) == ("succeeded", 1, None)
    assert row.sent_at >= row.created_at


async def test_two_workers_send_each_mail_once(post: PostOffice) -> None:
    workers: list[Worker] = []
    for _ in range(2):
        executor = Executor(registry_of([send_mail]), post.database, Services(post.deliverer), lambda *_observed: None)
        workers.append(Worker(post.database, executor, WorkerOptions(poll_seconds=0.05)))
    for worker in workers:
        await worker.start()
    for number in range(20):
        await post.queue(str(number))
    await until(lambda: len(post.tray.sent) == 20)
    for worker in workers:
        await worker.stop()

    assert len({mail.message_id for mail in post.tray.sent}) == len(post.tray.sent) == 20


async def test_a_temporary_failure_is_retried_with_its_reason_in_the_row_only(post: PostOffice) -> None:
    mail_id = await post.queue()
    post.tray.failures = [TemporaryFailure("451 later\r\nX: y")]

    with pytest.raises(RetryLater) as caught:
        await send_mail.run(SendMail(mail_id), context_of(post))

    assert (caught.value.seconds, str(caught.value)) == (None, "The mail's row has the reason.")
    assert caught.value.__suppress_context__
    row = await post.row(mail_id)
    assert (row.status, row.attempts, row.last_error) == ("pending", 1, "451 later X: y")
    await send_mail.run(SendMail(mail_id), context_of(post))
    row = await post.row(mail_id)
    assert (row.status, row.attempts, row.last_error) == ("succeeded", 2, None)


def test_retries_are_quick_for_ten_minutes_and_last_for_more_than_a_day() -> None:
    waits = [RETRY.wait_after(attempt) for attempt in range(1, RETRY.attempts)]

    assert all(8 <= wait <= 10 for wait in waits[:60])
    assert max(waits) <= 3600
    assert sum(waits) > LIFETIME.total_seconds()
    assert sum(sum(waits[:count]) < LIFETIME.total_seconds() for count in range(RETRY.attempts)) < 150


@pytest.mark.parametrize(
    ("failure", "age", "error"),
    [
        (PermanentFailure("550 no such user"), timedelta(), "550 no such user"),
        (TemporaryFailure("451 later"), timedelta(hours=25), "given up: 451 later"),
    ],
    ids=["refused", "too old"],
)
async def test_a_refused_or_too_old_mail_fails_for_good(
    post: PostOffice, failure: Exception, age: timedelta, error: str
) -> None:
    mail_id = await post.queue(secrets={"link": "https://toys.example/secret"})
    await post.change(mail_id, queued_at=datetime.now(UTC) - age)
    post.tray.failures = [failure]

    await post.deliverer.deliver(mail_id)
    await post.deliverer.deliver(mail_id)

    row = await post.row(mail_id)
    assert (row.status, row.last_error, row.secrets, post.tray.sent) == ("failed", error, None, [])


@pytest.mark.parametrize("failure", [PermanentFailure("550 too late"), TemporaryFailure("451 later")])
async def test_a_worker_that_was_taken_for_dead_does_not_undo_what_another_did(
    post: PostOffice, failure: Exception
) -> None:
    """It stands still until its job was given to another, which sends; then it fails."""
    mail_id = await post.queue()
    second = Tray()

    async def overtaken() -> None:
        await post.deliverer_by(second).deliver(mail_id)

    post.tray.before = overtaken
    post.tray.failures = [failure]
    try:
        await post.deliverer.deliver(mail_id)
    except RetryLater:
        await post.deliverer.deliver(mail_id)

    row = await post.row(mail_id)
    assert (row.status, row.last_error, len(second.sent), len(post.tray.sent)) == ("succeeded", None, 1, 0)


async def test_a_mail_that_is_out_counts_as_sent_although_another_attempt_was_refused(post: PostOffice) -> None:
    mail_id = await post.queue()
    second = Tray()
    second.failures = [PermanentFailure("550 refused")]

    async def refused() -> None:
        await post.deliverer_by(second).deliver(mail_id)

    post.tray.before = refused
    await post.deliverer.deliver(mail_id)

    assert (await post.row(mail_id)).status == "succeeded"


async def test_a_crash_after_the_servers_250_repeats_with_the_same_bytes(post: PostOffice) -> None:
    mail_id = await post.queue()

    async def die(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deliverer, "_record", die)
        with pytest.raises(KeyboardInterrupt):
            await post.deliverer.deliver(mail_id)
    await post.deliverer.deliver(mail_id)

    first, again = post.tray.sent
    assert first.encoded() == again.encoded()


async def test_a_job_of_a_former_sending_sends_nothing(post: PostOffice) -> None:
    mail_id = await post.queue()
    await post.deliverer.deliver(mail_id)
    async with post.database.independent() as unit:
        await post.mailer.retry(unit, mail_id)

    await post.deliverer.deliver(mail_id, 0)

    assert len(post.tray.sent) == 1
    assert (await post.row(mail_id)).status == "pending"


async def test_what_a_user_has_unsubscribed_from_is_not_sent(post: PostOffice) -> None:
    ada, eve = new_id(), new_id()
    post.wishes.muted = {(ada, "hints")}
    unwanted = await post.queue("1", user_id=ada, topic="hints")
    essential = await post.queue("2", user_id=ada)
    wanted = await post.queue("3", user_id=eve, topic="hints")

    for mail_id in (unwanted, essential, wanted):
        await post.deliverer.deliver(mail_id)

    assert (await post.row(unwanted)).status == "cancelled"
    urls = [mail.unsubscribe_url for mail in post.tray.sent]
    assert urls == [None, f"https://toys.example/out?token=hints.{eve}"]
    assert str(urls[1]) in post.tray.sent[1].text


@pytest.mark.parametrize("keep", [False, True])
async def test_secrets_are_in_the_mail_and_then_only_where_the_mailbox_page_shows_them(
    post: PostOffice, *, keep: bool
) -> None:
    mail_id = await post.queue(secrets={"link": "https://toys.example/secret"})
    before = await post.row(mail_id)
    assert b"toys.example" not in before.secrets
    assert "secret" not in str(before.context)

    await post.deliverer_by(post.tray, keep_secrets=keep).deliver(mail_id)

    assert "https://toys.example/secret" in post.tray.sent[0].text
    assert ((await post.row(mail_id)).secrets is not None) == keep


async def test_a_mail_that_cannot_be_composed_fails_at_once(post: PostOffice) -> None:
    changes: list[dict[str, Any]] = [
        {"template": "farewell"},
        {"context": {}},
        {"secrets": b"broken"},
        {"to_address": "ada"},
    ]
    for number, values in enumerate(changes):
        mail_id = await post.queue(str(number))
        await post.change(mail_id, **values)

        await post.deliverer.deliver(mail_id)

        row = await post.row(mail_id)
        assert (row.status, bool(row.last_error)) == ("failed", True)


async def test_a_mail_that_is_deleted_while_it_is_sent_stays_deleted(post: PostOffice) -> None:
    ada = new_id()
    mail_id = await post.queue(user_id=ada)

    async def forget() -> None:
        async with post.database.independent() as unit:
            await unit.execute(DELETE_MAILS_OF, user_id=ada)

    post.tray.before = forget
    await post.deliverer.deliver(mail_id)

    assert len(post.tray.sent) == 1
    assert await post.row(mail_id) is None


async def test_a_mail_whose_job_was_cancelled_gets_another_and_no_mail_gets_two(post: PostOffice) -> None:
    mails = [await post.queue(str(number)) for number in range(3)]
    async with post.database.independent() as unit:
        (job,) = (
            await unit.session.execute(QueuedJob.__table__.select().where(QueuedJob.key == f"{mails[1]}:0"))
        ).all()
        assert await JobOperations(unit).cancel(job.id)
    await sweep_mails.run(NoPayload(), context_of(post))
    assert len(await post.jobs()) == 3, "what was queued just now is not looked at"

    for mail_id in mails:
        await post.change(mail_id, queued_at=datetime.now(UTC) - timedelta(minutes=6))
    for _ in range(2):
        await sweep_mails.run(NoPayload(), context_of(post))

    assert [payload.mail_id for payload in await post.jobs()] == [*mails, mails[1]]


async def test_old_mails_are_purged_and_waiting_ones_stay(post: PostOffice) -> None:
    sent, waiting = await post.queue("1"), await post.queue("2")
    await post.deliverer.deliver(sent)
    for mail_id in (sent, waiting):
        await post.change(mail_id, created_at=datetime.now(UTC) - timedelta(days=91))

    await purge_mails.run(NoPayload(), context_of(post))

    assert await post.row(sent) is None
    assert (await post.row(waiting)).status == "pending"
