"""A user with a canary in every personal field, and an attacker who has the database and every key of the shop."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pamqp.commands import Basic

from db import cipher
from db.pool import Pool
from messages.benefits import PointsAdjust, PointsGrant
from messages.orders import Address, OrderConfirmReceipt
from messages.refunds import RefundRequest, RefundResult
from messages.user_roles import Trust
from tests.handlers.alipay_payments import notified, start
from tests.handlers.builders import OPERATOR, cancel, create, user
from tests.handlers.harness import HandlerHarness
from workers.handlers import dead_letters as handler
from workers.runtime.delivery import Delivery, RawDelivery
from workers.store import dead_letters, notifications

FIELDS = ("address", "remark", "attempt", "notification", "cancellation", "refund", "points", "correction", "letter")
"""Where personal data is kept; each has a canary of its own."""
PLACES = {
    "order_addresses": "order_address:{order_id}",
    "orders": "order_remark:{id}",
    "payment_attempts": "payment_attempt:{id}",
    "payment_notifications": notifications.AAD.decode(),
    "free_texts": "free_text\n{about}\n{type}\n{field}\n{message_id}",
    "dead_letters": "dead_letter",
    "outbox": "outbox",
    "outbox_held": "outbox",
    "revision_resets": "revision_reset:{kind}:{id}",
    "user_keys": "user_key:{key_id}",
}
"""Table -> what its ciphertexts are bound to."""


TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""


def canary(field: str, user_id: str = "u1") -> str:
    """The word that stands in this field of this user, and nowhere else."""
    return f"canary-{field}-of-{user_id}"


@dataclass(frozen=True)
class Subject:
    """A user with two orders that have ended: one completed, one cancelled."""

    completed: int
    cancelled: int
    out_trade_no: str


async def lived(harness: HandlerHarness, user_id: str = "u1") -> Subject:
    """Let a user buy, pay at Alipay, receive, cancel, get money back, and send what cannot be read."""

    mine = partial(canary, user_id=user_id)
    actor = user(user_id)
    address = Address(receiver=mine("address"), phone="13800001234", country="CN", detail=mine("address"))
    first = create(("s1", 2), request_id="one", user_id=user_id, address=address, remark=mine("remark"))
    completed = await harness.create_order(first)
    cancelled = await harness.create_order(create(("s1", 1), request_id="two", user_id=user_id, address=address))
    await harness.handle(start(completed, 1000, actor=actor, payer=mine("attempt")))
    started = harness.events_of("payment.started")[-1]
    paid = notified(started, f"trade-{user_id}", buyer_logon_id=mine("notification"))
    await harness.handle(paid, trusted=True)
    await harness.deliver(completed)
    await harness.handle(OrderConfirmReceipt(request_id="got it", actor=actor, order_id=completed))
    stopped = cancel(cancelled, "stop", actor).model_copy(update={"reason": mine("cancellation")})
    await harness.handle(stopped)
    await give_back(harness, completed, mine("refund"))
    granted = PointsGrant(request_id=f"g-{user_id}", user_id=user_id, points=5, reason=mine("points"))
    await harness.handle(granted, trusted=True)
    about = {"user_id": user_id, "reason_code": "MISTAKE", "reason": mine("correction")}
    await harness.handle(PointsAdjust(request_id=f"a-{user_id}", actor=OPERATOR, points=5, **about), trusted=True)
    await die(harness, b'{"user_id": "%b", "remark": "%b"}' % (user_id.encode(), mine("letter").encode()))
    return Subject(completed, cancelled, started["out_trade_no"])


async def give_back(harness: HandlerHarness, order_id: int, reason: str) -> None:
    """Refund a part of the order, with texts of the operator and of the provider."""
    request = RefundRequest(request_id=f"back-{order_id}", actor=OPERATOR, order_id=order_id, amount=100, reason=reason)
    await harness.handle(request, trusted=True)
    requested = harness.events_of("refund.requested")[-1]
    done = RefundResult(
        refund_no=requested["refund_no"],
        status="succeeded",
        amount=100,
        currency="CNY",
        occurred_at=await harness.pool.fetchval("SELECT now()"),
        reason=reason,
    )
    await harness.handle(done, trusted=True)


async def die(
    harness: HandlerHarness, body: bytes, correlation_id: str | None = None, type: str = "stock.receive.v1"
) -> None:
    """Keep a message, of a conversation if it is named, as a dead letter."""
    async with harness.pool.acquire() as tx, tx.transaction():
        properties = Basic.Properties(message_id=f"dead-{hash(body)}", message_type=type, correlation_id=correlation_id)
        taken = RawDelivery.taken("order-creation.dlq", Delivery(1, "oms.dlx", "oms.stock", body, properties, {}))
        await dead_letters.keep(tx, [handler.letter(taken, Trust(frozenset()), datetime.now(UTC))])


async def as_before_user_keys(harness: HandlerHarness) -> None:
    """Encrypt everything with the shop's key, as versions without user keys did."""
    shop = cipher.current()
    for table, column, key, where in (
        ("order_addresses", "ciphertext", "key_id", "order_id"),
        ("orders", "user_remark", "remark_key_id", "id"),
        ("payment_attempts", "details", "key_id", "id"),
        ("free_texts", "ciphertext", "key_id", "ctid"),
    ):
        rows = await harness.pool.fetch(
            f"SELECT t.*, t.ctid, k.wrapped, k.shop_key_id FROM {table} t JOIN user_keys k ON k.key_id = t.{key}"
        )
        for row in rows:
            aad = PLACES[table].format_map(dict(row)).encode()
            wrapped = cipher.Wrapped(row[key], row["shop_key_id"], row["wrapped"])
            sealed = shop.encrypt(shop.decrypt(row[key], row[column], aad, wrapped), aad)
            await harness.pool.execute(
                f"UPDATE {table} SET {key} = $1, {column} = $2 WHERE {where} = $3", *sealed, row[where]
            )
    await harness.pool.execute("UPDATE dead_letters SET about = NULL")
    await harness.pool.execute("DELETE FROM user_keys")


def shop_keys() -> list[AESGCM]:
    return list(cipher.Cipher.from_keys(os.environ["OMS_ENCRYPTION_KEYS"]).keys.values())


async def readable(pool: Pool) -> str:
    """Everything that can be read from a dump of all tables with all keys of the shop, however the rows name keys."""
    tables = [row["relname"] for row in await pool.fetch(TABLES)]
    dumped = {table: [dict(row) for row in await pool.fetch(f'SELECT * FROM "{table}"')] for table in tables}
    keys = shop_keys()
    for row in dumped["user_keys"]:
        keys += [AESGCM(raw) for raw in _tried(row, PLACES["user_keys"], keys)]
    found = [repr(row) for rows in dumped.values() for row in rows]
    for table, rows in dumped.items():
        for row in rows:
            place = PLACES.get(table)
            for plain in _tried(row, place, keys) if place else ():
                found.append(plain.decode(errors="replace"))
                found.append(base64.b64decode(json.loads(plain)["body"]).decode() if "notification" in table else "")
    return "\n".join(found)


def _tried(row: dict[str, Any], place: str, keys: list[AESGCM]) -> Iterator[bytes]:
    aad = place.format_map(row).encode()
    for value in row.values():
        if not isinstance(value, bytes) or len(value) < cipher.NONCE_BYTES:
            continue
        for key in keys:
            try:
                yield key.decrypt(value[: cipher.NONCE_BYTES], value[cipher.NONCE_BYTES :], aad)
            except InvalidTag:
                continue
