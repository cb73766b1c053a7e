"""Buyers are notified over a real broker, relay, mail server and HTTP services (S3-35)."""

from db.pool import Pool
from messages.media import Medium
from scripts.servers.ports import free_ports
from tests.broker import Broker
from tests.e2e.notified_shop import ADDRESSES, MEDIA, notified_shop
from tests.e2e.upstream import wait_for
from tests.metric_values import metric_value
from tests.notifiers.fake_mailbox import open_mailbox

ROWS = "SELECT medium, kind, state, attempts FROM buyer_notifications ORDER BY medium, kind"


async def test_each_event_becomes_one_letter_by_each_medium(broker: Broker, database_url: str, pool: Pool) -> None:
    """The mail server refuses the first letter for now, the SMS service fails once, that of push loses its answer."""
    async with notified_shop(broker, database_url) as shop:
        shop.mailbox.once, shop.sms.once, shop.push.once = "later", "error", "drop"
        for medium in MEDIA:
            await shop.set_contact(medium, language="zh", opt_outs=[] if medium is Medium.EMAIL else ["order_created"])
        paid = await shop.order()
        sent = await shop.upstream.wait_for_events("notification.sent", 4)
        await shop.republish(paid)
        await pool.execute("DELETE FROM inbox WHERE queue = 'buyer-notifications'")
        await shop.republish(paid)  # the inbox has forgotten it, and the notifications themselves tell

    number = paid["order_no"]
    mails = sorted((str(mail["To"]), str(mail["Subject"])) for mail in shop.mailbox.letters.values())
    assert mails == [(ADDRESSES[Medium.EMAIL], f"订单 {number} {what}") for what in ("已付款", "待付款")]
    for service, medium in (shop.sms, Medium.SMS), (shop.push, Medium.PUSH):
        [letter] = service.letters.values()
        assert letter["to"] == ADDRESSES[medium]
        assert letter["kind"] == "order_paid"
        assert number in letter["text"]
    assert {(one["cause"], one["medium"]) for one in sent if one["kind"] == "order_paid"} == {
        (paid["properties"].message_id, medium) for medium in MEDIA
    }
    assert [tuple(row)[:3] for row in await pool.fetch(ROWS)] == [
        ("email", "order_created", "sent"),
        ("email", "order_paid", "sent"),
        ("push", "order_created", "skipped"),
        ("push", "order_paid", "sent"),
        ("sms", "order_created", "skipped"),
        ("sms", "order_paid", "sent"),
    ]
    assert await pool.fetchval("SELECT max(attempts) FROM buyer_notifications") == 2
    assert len(shop.upstream.events_of("notification.sent")) == 4
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0


async def test_a_medium_whose_server_is_away_holds_up_no_other(broker: Broker, database_url: str, pool: Pool) -> None:
    [port] = free_ports(1)
    async with notified_shop(broker, database_url, smtp_url=f"smtp://127.0.0.1:{port}") as shop:
        for medium in MEDIA:
            await shop.set_contact(medium, opt_outs=["order_created"])
        await shop.order()
        await shop.upstream.wait_for_events("notification.sent", 2)
        await wait_for(lambda: paused(Medium.EMAIL), "the queue of e-mails to pause")
        assert not paused(Medium.SMS)
        assert {row["medium"]: row["state"] for row in await pool.fetch(ROWS)} == {
            "email": "pending",
            "push": "sent",
            "sms": "sent",
        }
        async with open_mailbox(port) as mailbox:
            await shop.upstream.wait_for_events("notification.sent", 3)
    assert (len(mailbox.letters), mailbox.copies) == (1, 0)


async def test_a_medium_that_an_operator_pauses_holds_up_no_other(
    broker: Broker, database_url: str, pool: Pool
) -> None:
    async with notified_shop(broker, database_url, notifications_paused="email") as shop:
        for medium in (Medium.EMAIL, Medium.SMS):
            await shop.set_contact(medium, opt_outs=["order_created"])
        await shop.order()
        await shop.upstream.wait_for_events("notification.sent", 1)
        assert shop.mailbox.letters == {}
        async with shop.worker(Medium.EMAIL):  # a worker that was started without the pause
            await shop.upstream.wait_for_events("notification.sent", 2)
    assert (len(shop.mailbox.letters), shop.mailbox.copies) == (1, 0)
    assert {row["state"] for row in await pool.fetch(ROWS)} == {"sent", "skipped"}


def paused(medium: Medium) -> bool:
    """Whether the worker that sends by this medium waits for its server."""
    return metric_value("oms_consumer_paused", queue=f"notification-calls.{medium}") == 1
