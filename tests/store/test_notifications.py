"""How providers' notifications and certificates are kept."""

import os
from datetime import UTC, datetime

import pytest

from db import cipher
from tests.handlers.harness import HandlerHarness
from workers.providers.port import Notification
from workers.store import notifications

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
BODIES = [
    (b"txnAmt=1000&accNo=6226090000000048&orderId=P1", b"txnAmt=1000&accNo=***0048&orderId=P1"),
    (b"accNo=6226090000000048", b"accNo=***0048"),
    (b"a=1&customerInfo=e2N2bjI6MTIzfQ==&b=2", b"a=1&customerInfo=***&b=2"),
    (b"accNo=48&a=1", b"accNo=***48&a=1"),
    (b"myaccNo=6226090000000048", b"myaccNo=6226090000000048"),
    (b'{"amount": {"total": 1000}}', b'{"amount": {"total": 1000}}'),
    (b"subject=\xb2\xe8&sign=a%2Bb", b"subject=\xb2\xe8&sign=a%2Bb"),
    (b"\xff\x00", b"\xff\x00"),
]


@pytest.mark.parametrize(("body", "kept"), BODIES)
async def test_a_notification_is_kept_byte_for_byte_but_for_card_data(
    harness: HandlerHarness, body: bytes, kept: bytes
) -> None:
    async with harness.pool.acquire() as tx, tx.transaction():
        [notification_id] = await notifications.keep(
            tx, [notifications.NotificationRecord("unionpay", Notification({"a": "b"}, body, AT), about="P1")]
        )
        [shown] = await notifications.find(tx, ids=[notification_id])
    assert shown.decrypt() == ({"a": "b"}, kept)
    assert b"6226090000000048" not in shown.notification


def test_a_notification_that_an_older_version_stored_can_still_be_decrypted() -> None:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    key_id, sealed = cipher.current().encrypt(b'{"headers": {"a": "b"}, "body": "Ym9keQ=="}', b"channel_notice")
    stored = notifications.StoredNotification(1, "wechat", "believed", None, "P1", 1, AT, AT, key_id, sealed)
    assert stored.decrypt() == ({"a": "b"}, b"body")


async def test_copies_of_a_notification_with_other_headers_are_one_row(harness: HandlerHarness) -> None:
    async with harness.pool.acquire() as tx, tx.transaction():
        copies = [
            notifications.NotificationRecord("wechat", Notification({"n": str(copy)}, b"body", AT)) for copy in range(3)
        ]
        ids = {*await notifications.keep(tx, copies), *await notifications.keep(tx, copies[:1])}
        assert len(ids) == 1
        other = await notifications.keep(
            tx, [notifications.NotificationRecord("alipay", Notification({}, b"body", AT))]
        )
        assert set(other).isdisjoint(ids)


async def test_a_certificate_that_is_fetched_again_replaces_the_one_before(harness: HandlerHarness) -> None:
    async with harness.pool.acquire() as tx, tx.transaction():
        for pem in ("one", "another"):
            await notifications.keep_certificates(tx, {"wechat": {"5F1E": pem}})
        assert await notifications.certificates(tx, ["wechat", "alipay"]) == {"wechat": {"5F1E": "another"}}
