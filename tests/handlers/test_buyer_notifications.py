"""Buyers are notified: from the event over the stored notification to an e-mail at a real SMTP server (S3-35)."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

import outbox
from messages.base import Message
from messages.buyer_notifications import BuyerNotificationSend
from messages.contacts import ContactList, ContactSet, ContactsListed
from messages.envelope import Envelope
from messages.media import Medium
from messages.registry import MODELS
from tests.handlers.builders import user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from tests.metric_values import metric_value
from tests.notifiers.fake_mailbox import FakeMailbox, open_mailbox
from workers import notifiers
from workers.handlers import buyer_notifications, notification_calls
from workers.notifiers import Notifying
from workers.notifiers.smtp import SmtpSender
from workers.runtime.batch import Batch
from workers.services.buyer_notifications import prepare, send

ADDRESS = "ada@mail.example"
STATES = "SELECT state, reason, attempts FROM buyer_notifications ORDER BY id"


@pytest_asyncio.fixture
async def mailbox(harness: HandlerHarness) -> AsyncIterator[FakeMailbox]:
    """A mail server by which this process notifies, and a buyer u1 with stock to buy."""
    await harness.fill_stock()
    async with open_mailbox() as opened:
        sender = SmtpSender(opened.url, "orders@shop.example", 0.5)
        notifiers.configure(Notifying([Medium.EMAIL], {Medium.EMAIL: sender}))
        yield opened
        notifiers.configure(Notifying())


def contact(**changes: Any) -> ContactSet:
    about = {"request_id": repr(changes), "actor": user().model_dump(), "user_id": "u1", "medium": "email"}
    return ContactSet.model_validate_json(orjson.dumps({**about, "address": ADDRESS, **changes}))


async def announce(harness: HandlerHarness, type_: str = "order.paid") -> list[Envelope[Any]]:
    """Take the newest event of a type as the queue of notifications gets it."""
    event = harness.events_of(type_)[-1]
    model = MODELS[f"{type_}.v1"]
    body = model.model_validate_json(orjson.dumps({name: event.get(name) for name in model.model_fields}))
    items = [harness.envelope(body)]
    await harness.handle_batch(items)
    await harness.relay()
    return items


async def deliver(harness: HandlerHarness, *calls: Message, attempt: int = 0, commit: bool = True) -> Batch[Any]:
    """Send what waits, as a worker of the medium's queue does."""
    given = calls or tuple(harness.notification_calls)
    items = [Envelope(**{**vars(harness.envelope(body)), "attempt": attempt}) for body in given]
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
        needed = await prepare(tx, items, medium="email")
    answers = await send(needed)
    batch: Batch[Any] = Batch(items, await harness.pool.fetchval("SELECT clock_timestamp()"), answers)
    if commit:
        with outbox.noting_shards():
            async with harness.pool.acquire() as tx, tx.transaction():
                await notification_calls.take_answers(tx, batch)
        await harness.relay()
    return batch


async def test_a_paid_order_becomes_one_email_in_its_buyers_language(
    harness: HandlerHarness, mailbox: FakeMailbox
) -> None:
    await harness.handle(contact(language="zh"))
    order_id = await harness.place_paid_order()
    items = await announce(harness)
    await harness.handle_batch(items)  # the event comes again
    await deliver(harness)
    await deliver(harness)
    [mail] = mailbox.letters.values()
    number = await harness.pool.fetchval("SELECT order_no FROM orders WHERE id = $1", order_id)
    assert (mail["To"], mail["Subject"], mailbox.copies) == (ADDRESS, f"订单 {number} 已付款", 0)
    [sent] = harness.events_of("notification.sent")
    assert (sent["order_id"], sent["kind"], sent["cause"]) == (str(order_id), "order_paid", items[0].id)
    assert await harness.rows(STATES) == [("sent", None, 1)]
    clear = (
        "SELECT count(*) FROM buyer_notifications b, user_contacts c WHERE concat(to_jsonb(b), to_jsonb(c)) ~ 'ada@'"
    )
    assert await harness.rows(clear) == [(0,)]
    assert ADDRESS not in str(harness.events)


async def test_a_refused_email_fails_and_its_order_stays_as_it_is(
    harness: HandlerHarness, mailbox: FakeMailbox
) -> None:
    await harness.handle(contact())
    order_id = await harness.place_paid_order()
    before = await harness.rows("SELECT to_jsonb(o)::text FROM orders o")
    await announce(harness)
    mailbox.habit = "refuse"
    batch = await deliver(harness)
    assert batch.verdicts == {}
    assert [event["reason_code"] for event in harness.events_of("notification.failed")] == ["SMTP_550"]
    assert await harness.rows(STATES) == [("failed", "SMTP_550", 1)]
    assert await harness.rows("SELECT to_jsonb(o)::text FROM orders o") == before
    assert await harness.state(order_id) == "paid"


async def test_a_notification_is_counted_from_nothing_once_it_is_committed(
    harness: HandlerHarness, mailbox: FakeMailbox
) -> None:
    about = {"medium": "email", "kind": "order_paid", "outcome": "failed"}
    before = REGISTRY.get_sample_value("oms_notifications_total", about)
    assert before is not None, "an increase from nothing is none for Prometheus"
    await harness.handle(contact())
    await harness.place_paid_order()
    await announce(harness)
    mailbox.habit = "refuse"
    batch = await deliver(harness, commit=False)
    with suppress(RuntimeError), outbox.noting_shards():
        async with harness.pool.acquire() as tx, tx.transaction():
            await notification_calls.take_answers(tx, batch)
            raise RuntimeError("the commit fails")
    assert metric_value("oms_notifications_total", **about) == before
    await deliver(harness)
    assert metric_value("oms_notifications_total", **about) == before + 1


async def test_a_server_without_an_answer_is_tried_again_and_at_last_a_person_sees_it(
    harness: HandlerHarness, mailbox: FakeMailbox
) -> None:
    await harness.handle(contact())
    await harness.place_paid_order()
    await announce(harness)
    mailbox.habit = "later"
    [verdict] = (await deliver(harness)).verdicts.values()
    assert (verdict.reason, verdict.retry) == ("notification_unknown", True)
    assert await harness.rows(STATES) == [("pending", "SMTP_451", 1)]
    await deliver(harness, attempt=6)
    assert await harness.rows(STATES) == [("failed", "SMTP_451", 2)]
    assert len(harness.events_of("notification.failed")) == len(harness.events_of("alert.raised")) == 1
    mailbox.habit = ""
    await deliver(harness)  # its dead letter is replayed
    assert await harness.rows(STATES) == [("sent", None, 3)]


async def test_a_crash_between_sending_and_commit_sends_the_same_message_id_again(
    harness: HandlerHarness, mailbox: FakeMailbox
) -> None:
    await harness.handle(contact())
    await harness.place_paid_order()
    await announce(harness)
    await deliver(harness, commit=False)
    await deliver(harness)
    assert (len(mailbox.letters), mailbox.copies) == (1, 1)
    assert await harness.rows(STATES) == [("sent", None, 1)]


async def test_two_workers_that_sent_the_same_letter_announce_it_once(
    harness: HandlerHarness, mailbox: FakeMailbox
) -> None:
    await harness.handle(contact())
    await harness.place_paid_order()
    await announce(harness)
    late = await deliver(harness, commit=False)
    await deliver(harness)
    async with harness.pool.acquire() as tx, tx.transaction():
        await notification_calls.take_answers(tx, late)
    await harness.relay()
    assert len(harness.events_of("notification.sent")) == 1
    assert await harness.rows(STATES) == [("sent", None, 1)]


async def erased(harness: HandlerHarness) -> None:
    await harness.pool.execute("UPDATE user_keys SET shop_key_id = NULL, wrapped = NULL, erased_at = clock_timestamp()")
    await harness.pool.execute("DELETE FROM user_contacts")


async def quiet_for_long(harness: HandlerHarness) -> None:
    """Quiet hours begin that end after the notification expires."""
    await harness.pool.execute("UPDATE buyer_notifications SET expires_at = now() + interval '1 h'")
    now = await harness.pool.fetchval("SELECT now()")
    begin, until = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 2))
    await harness.handle(contact(quiet_hours={"begin": begin, "until": until, "time_zone": "UTC"}))


async def expired(harness: HandlerHarness) -> None:
    await harness.pool.execute("UPDATE buyer_notifications SET expires_at = now()")


MEANWHILE = [
    (erased, "erased"),
    (expired, "expired"),
    (quiet_for_long, "expired"),
    (lambda harness: harness.handle(contact(address=None)), "no_contact"),
    (lambda harness: harness.handle(contact(opt_outs=["transactional"])), "opted_out"),
    (lambda harness: harness.handle(contact(enabled=False)), "disabled"),
]


@pytest.mark.parametrize(("happens", "reason"), MEANWHILE, ids=[reason for _, reason in MEANWHILE])
async def test_what_happens_before_it_is_sent_counts(
    harness: HandlerHarness, mailbox: FakeMailbox, happens: Any, reason: str
) -> None:
    await harness.handle(contact())
    await harness.place_paid_order()
    await announce(harness)
    await happens(harness)
    await deliver(harness)
    assert await harness.rows(STATES) == [("skipped", reason, 0)]
    assert mailbox.letters == {}


async def test_nobody_is_woken_in_quiet_hours(harness: HandlerHarness, mailbox: FakeMailbox) -> None:
    now = await harness.pool.fetchval("SELECT now()")
    begin, until = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 2))
    await harness.handle(contact(quiet_hours={"begin": begin, "until": until, "time_zone": "UTC"}))
    await harness.place_paid_order()
    await announce(harness)
    assert harness.notification_calls == []
    await harness.handle(contact(language="en"))
    await harness.pool.execute("UPDATE buyer_notifications SET wake_at = now()")
    async with harness.pool.acquire() as tx, tx.transaction():
        await buyer_notifications.wake(tx)
    await harness.relay()
    await deliver(harness)
    assert len(mailbox.letters) == 1


async def test_what_was_never_sent_is_dropped_when_it_expires(harness: HandlerHarness, mailbox: FakeMailbox) -> None:
    await harness.handle(contact())
    await harness.place_paid_order()
    await announce(harness)
    await harness.pool.execute("UPDATE buyer_notifications SET wake_at = now(), expires_at = now()")
    async with harness.pool.acquire() as tx, tx.transaction():
        await buyer_notifications.wake(tx)
    assert await harness.rows(STATES) == [("skipped", "expired", 0)]


async def test_a_buyer_without_a_contact_is_not_notified(harness: HandlerHarness, mailbox: FakeMailbox) -> None:
    await harness.place_paid_order()
    await announce(harness)
    assert (await harness.rows(STATES), harness.notification_calls) == ([], [])


async def test_an_unknown_notification_is_nothing(harness: HandlerHarness, mailbox: FakeMailbox) -> None:
    assert (await deliver(harness, BuyerNotificationSend(notification_id=7))).verdicts == {}


REJECTED = [
    {"address": "nobody"},
    {"opt_outs": ["weather"]},
    {"quiet_hours": {"begin": "22:00", "until": "08:00", "time_zone": "Mars/Base"}},
]


@pytest.mark.parametrize("changes", REJECTED, ids=lambda changes: next(iter(changes)))
async def test_a_wrong_contact_is_rejected_with_the_field(harness: HandlerHarness, changes: Any) -> None:
    await harness.handle(contact(**changes))
    [(code, details)] = harness.rejections()
    assert code == "CONTACT_INVALID"
    assert details["field"].startswith(next(iter(changes)))
    assert await harness.rows("SELECT * FROM user_contacts") == []


async def test_a_contact_is_shown_masked_to_its_user(harness: HandlerHarness) -> None:
    quiet = {"begin": "22:00", "until": "08:00", "time_zone": "Asia/Shanghai"}
    await harness.handle(contact(quiet_hours=quiet, opt_outs=["order_created"]))
    [reply] = await ask(harness, ContactList(actor=user(), user_id="u1"))
    assert isinstance(reply, ContactsListed)
    [shown] = reply.contacts
    assert (shown.address, shown.opt_outs) == ("a****@mail.example", ("order_created",))
    assert shown.quiet_hours is not None
    assert shown.quiet_hours.model_dump() == quiet
    await harness.handle(contact(address=None))
    [reply] = await ask(harness, ContactList(actor=user(), user_id="u1"))
    assert isinstance(reply, ContactsListed)
    assert reply.contacts == ()
