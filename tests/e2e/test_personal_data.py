"""A phone number, a name and a street go through the whole system, and it stores them nowhere in clear."""

import base64
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import orjson
import pytest

from db import cipher
from db.pool import open_pool
from messages.base import free_text_fields
from messages.registry import MODELS
from tests.broker import Broker
from tests.chaos.deployment import PRICE, SKU, Deployment
from tests.e2e.raw_amqp import RawClient
from tests.e2e.upstream import order_body
from workers.services import dead_letters as dead_letter_decisions
from workers.store import dead_letters, free_texts, orders

CANARIES = ("13987654321", "Canary Zhang", "Canary Street 77", "ZIP 200099")
ADDRESS = {
    "receiver": CANARIES[1], "phone": CANARIES[0], "country": "FR", "detail": CANARIES[2], "postcode": CANARIES[3],
}  # fmt: skip
EVENTS_QUEUE = "client.upstream.events"


def traces(where: str, content: bytes) -> Iterator[str]:
    """Every canary in a text, as it is, as hexadecimal digits or as base64."""
    for canary in CANARIES:
        raw = canary.encode()
        for form in (raw, raw.hex().encode(), base64.b64encode(raw)[:-4], orjson.dumps(canary)[1:-1]):
            if form in content:
                yield f"{canary} in {where}"


async def dump(deployment: Deployment) -> dict[str, bytes]:
    """Every row of every table and view as text, bytes as hexadecimal digits."""
    connection = await asyncpg.connect(deployment.database_url)
    names = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name"
    )
    dumped = {}
    for (name,) in names:
        rows = await connection.fetch(f'SELECT t::text AS row FROM "{name}" AS t')
        dumped[name] = "\n".join(row["row"] for row in rows).encode()
    await connection.close()
    return dumped


async def nothing_is_in_the_database(deployment: Deployment) -> None:
    assert [found for table, content in (await dump(deployment)).items() for found in traces(table, content)] == []


def order(**changes: Any) -> bytes:
    return orjson.dumps(order_body((SKU, 1), address=ADDRESS) | changes)


BAD = [
    order()[:-1],
    order(phone=ADDRESS["phone"]),
    order(channel=int(ADDRESS["phone"])),
    order(address=ADDRESS["phone"]),
    order(address=ADDRESS | {"country": CANARIES[1]}),
    order(address=ADDRESS | {"phone": f"call {CANARIES[0]}"}),
    order(address=ADDRESS | {CANARIES[0]: "my number"}),
    order(currency=CANARIES[0]),
    order(actor={"type": CANARIES[0], "id": "u1"}),
]
"""Messages that are refused while they are read, each at a place where an error could quote their content."""


@pytest.fixture
async def deployment(
    declared_broker: Broker, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """A deployment on real servers, without a running process."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])  # the same keys as the processes
    made = Deployment(declared_broker, database_url, tmp_path_factory.mktemp("personal"))
    try:
        yield made
    finally:
        made.kill()


async def test_personal_data_is_in_clear_nowhere(deployment: Deployment) -> None:
    async with (
        await aio_pika.connect(deployment.broker["upstream"]) as connection,
        RawClient.connect(deployment.broker["upstream"]) as raw,
    ):
        channel = await connection.channel()
        events = await channel.declare_queue(EVENTS_QUEUE, exclusive=True)
        await events.bind(deployment.broker.names.events, "#")
        deployment.start("worker")
        await deployment.fill_stock()
        await deployment.wait_until("SELECT EXISTS (SELECT FROM skus)")

        await _publish(deployment, raw, order(), *BAD)
        await _publish(deployment, raw, order(), key="order.unbound")
        await deployment.wait_until(
            f"SELECT (SELECT count(*) FROM orders) = 1 AND (SELECT count(*) FROM dead_letters) = {len(BAD) + 1}"
        )
        await nothing_is_in_the_database(deployment)
        await _replay_the_unrouted(deployment)
        assert await deployment.query("SELECT count(*) FROM outbox WHERE type = 'order.create.v1'") == 1
        await nothing_is_in_the_database(deployment)

        deployment.start("relay")
        await deployment.wait_until("SELECT count(*) FILTER (WHERE state = 'awaiting_payment') = 2 FROM orders")
        moved = {
            "request_id": uuid4().hex,
            "actor": {"type": "user", "id": "u1"},
            "address": ADDRESS,
            "order_id": str(await deployment.query("SELECT min(id) FROM orders")),
        }
        await _publish(deployment, raw, orjson.dumps(moved), key="order.change_address")
        await deployment.wait_until("SELECT sum(modify_count) = 1 FROM order_addresses")
        noted = {name: moved[name] for name in ("request_id", "actor", "order_id")} | {"remark": SAYS}
        await _publish(deployment, raw, orjson.dumps(noted), key="order.change_remark")
        await deployment.wait_until(
            "SELECT EXISTS (SELECT FROM commands WHERE outcome_type = 'order_remark.changed.v1')"
        )
        await deployment.wait_until("SELECT count(*) = 0 FROM outbox")
        assert set(await deployment.stop()) == {0}
        await nothing_is_in_the_database(deployment)
        await _no_event_has_personal_data(events)
    assert b"message dead-lettered" in deployment.logs()
    assert list(traces("the logs", deployment.logs())) == []
    await _who_has_the_key_can_read(deployment)


SAYS = f"call {CANARIES[1]} at {CANARIES[0]}, {CANARIES[2]}"


def _texts(order_id: str, paid_id: str, refund_no: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every message with a free text: its type -> (the broker user that sends it, its body)."""
    operator, now = {"type": "operator", "id": "ops-1"}, datetime.now(UTC).isoformat()
    requested = {"request_id": uuid4().hex, "actor": operator, "reason": SAYS}
    money = {"amount": PRICE, "currency": "CNY", "occurred_at": now, "reason": SAYS}
    payment = {"order_id": order_id, "provider": "alipay", "trade_no": "t1", "kind": "failed"}
    case = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": paid_id}
    one_case = case | {"case_id": "1"}
    reviewed = one_case | {"actor": operator}
    entry = {"kind": "sku", "id": SKU, "revision": 0}
    return {
        "payment.result": ("payments", payment | money),
        "refund.result": ("payments", {"refund_no": refund_no, "status": "failed"} | money),
        "risk.result": ("operator", {"order_id": order_id, "verdict": "passed", "reason": SAYS}),
        "refund.request": ("operator", requested | {"order_id": paid_id, "amount": PRICE}),
        "order.hold": ("operator", requested | {"order_id": paid_id, "reason_code": "ADDRESS_UNCLEAR"}),
        "order.release": ("operator", requested | {"order_id": paid_id}),
        "order.amount.adjust": (
            "operator",
            requested | {"order_id": order_id, "discount": 1, "reason_code": "GOODWILL"},
        ),
        "after_sale.apply": ("upstream", case | {"type": "refund_only", "reason_code": "quality", "description": SAYS}),
        "after_sale.reopen": ("upstream", one_case | {"description": SAYS}),
        "after_sale.review": ("operator", reviewed | {"decision": "approve", "note": SAYS}),
        "after_sale.close": ("operator", reviewed | {"reason_code": "GIVEN_UP", "note": SAYS}),
        "dispute.submit_evidence": (
            "operator",
            {k: requested[k] for k in ("request_id", "actor")}
            | {"provider": "alipay", "dispute_no": "D1", "evidence": ["photo-1"], "description": SAYS},
        ),
        "points.grant": ("upstream", {"request_id": "g1", "user_id": "u1", "points": 5, "reason": SAYS}),
        "points.adjust": ("operator", requested | {"user_id": "u1", "points": 5, "reason_code": "MISTAKE"}),
        "stock.adjust": (
            "upstream",
            {"request_id": "a1", "sku_id": SKU, "warehouse": "main", "delta": 1, "reason": SAYS},
        ),
        "revision.reset": ("upstream", {"request_id": "v1", "reason": SAYS} | entry),
        "order.cancel": ("upstream", requested | {"order_id": order_id, "actor": {"type": "user", "id": "u1"}}),
    }


LATER = (
    "order.hold",
    "order.release",
    "refund.result",
    "risk.result",
    "points.grant",
    "points.adjust",
    "stock.adjust",
    "revision.reset",
    "after_sale.apply",
    "after_sale.reopen",
    "after_sale.review",
    "after_sale.close",
    "dispute.submit_evidence",
    "order.cancel",
)
"""The messages with free texts that follow the refund, in their order."""


async def test_what_people_write_in_messages_is_in_clear_nowhere(deployment: Deployment) -> None:
    assert {f"{type_}.v1" for type_ in _texts("1", "2", "3")} == {
        m.TYPE for m in MODELS.values() if free_text_fields(m)
    }
    async with await aio_pika.connect(deployment.broker["upstream"]) as connection:
        channel = await connection.channel()
        events = await channel.declare_queue(EVENTS_QUEUE, exclusive=True)
        await events.bind(deployment.broker.names.events, "#")
        deployment.start("worker")
        deployment.start("relay")
        await deployment.fill_stock()
        await deployment.wait_until("SELECT EXISTS (SELECT FROM skus)")
        await deployment.publish("upstream", [("order.create", order_body((SKU, 1), user_id="u1")) for _ in range(2)])
        await deployment.wait_until("SELECT count(*) FILTER (WHERE state = 'awaiting_payment') = 2 FROM orders")
        order_id, paid_id = orjson.loads(await deployment.query("SELECT json_agg(id::text ORDER BY id) FROM orders"))
        capture = {"order_id": paid_id, "provider": "alipay", "trade_no": "t2", "kind": "captured", "amount": PRICE}
        about = {"currency": "CNY", "occurred_at": datetime.now(UTC).isoformat()}
        await deployment.publish("payments", [("payment.result", capture | about)])
        await deployment.wait_until("SELECT count(*) FILTER (WHERE state = 'paid') = 1 FROM orders")

        texts = _texts(order_id, paid_id, "")
        for type_ in ("refund.request", "payment.result"):
            await deployment.publish(texts[type_][0], [(type_, texts[type_][1])])
        await deployment.wait_until("SELECT count(*) = 1 FROM refunds")
        texts = _texts(order_id, paid_id, await deployment.query("SELECT refund_no FROM refunds"))
        await deployment.publish(
            texts["order.amount.adjust"][0], [("order.amount.adjust", texts["order.amount.adjust"][1])]
        )
        await deployment.wait_until(
            "SELECT EXISTS (SELECT FROM free_texts WHERE type = 'order.amount.adjust')",
            what="the adjustment, before order.cancel",
        )
        for type_ in LATER:
            await deployment.publish(texts[type_][0], [(type_, texts[type_][1])])
        await deployment.wait_until("SELECT count(*) = 1 FROM orders WHERE state = 'cancelled'")
        kept = "SELECT count(*) = 10 AND (SELECT count(*) FROM revision_resets) = 1 FROM free_texts"
        await deployment.wait_until(kept, what="all texts but those of messages that were rejected")
        await deployment.wait_until("SELECT count(*) = 0 FROM outbox")
        assert set(await deployment.stop()) == {0}
        await nothing_is_in_the_database(deployment)
        await _no_trace_in(events)
    assert list(traces("the logs", deployment.logs())) == []
    pool = await open_pool(deployment.database_url, application_name="tests", max_size=1)
    for row in await pool.fetch("SELECT * FROM free_texts LEFT JOIN user_keys USING (key_id)"):
        aad = free_texts.aad_of(row["about"], row["type"], row["field"], row["message_id"], row["sender"])
        assert cipher.current().decrypt(row["key_id"], row["ciphertext"], aad, cipher.Wrapped.of(row)).decode() == SAYS
    await pool.close()


async def _no_trace_in(events: aio_pika.abc.AbstractQueue) -> set[str | None]:
    """Assert that no event or reply has personal data; return their types."""
    types = set()
    while (message := await events.get(no_ack=True, fail=False)) is not None:
        types.add(message.type)
        content = message.body + repr((message.headers, message.properties)).encode()
        assert list(traces(f"the event {message.type}", content)) == []
    assert {"order.cancelled.v1", "refund.failed.v1", "payment.failed.v1", "points.changed.v1"} <= types
    return types


async def _publish(deployment: Deployment, raw: RawClient, *bodies: bytes, key: str = "order.create") -> None:
    type_ = key if key.startswith("order.change_") else "order.create"
    for body in bodies:
        await raw.publish(
            deployment.broker.names.commands, key, body, type=f"{type_}.v1", message_id=uuid4().hex, user_id=raw.user
        )


async def _replay_the_unrouted(deployment: Deployment) -> None:
    pool = await open_pool(deployment.database_url, application_name="tests", max_size=1)
    async with pool.acquire() as tx, tx.transaction():
        row_id = await tx.fetchval("SELECT id FROM dead_letters WHERE queue = 'unrouted'")
        rows = await dead_letters.lock(tx, [row_id])
        await dead_letter_decisions.replay(tx, rows, to="order-creation", note="test", reason="a typo in the key")
    await pool.close()


async def _no_event_has_personal_data(events: aio_pika.abc.AbstractQueue) -> None:
    count = 0
    while (message := await events.get(no_ack=True, fail=False)) is not None:
        count += 1
        content = message.body + repr((message.headers, message.properties)).encode()
        assert list(traces(f"the event {message.type}", content)) == []
    refused = len(BAD) + 1
    assert count == 7 + refused, (
        "a SKU, its stock, two orders, an address, a remark, a replay, and command.rejected for the rest"
    )


async def _who_has_the_key_can_read(deployment: Deployment) -> None:
    connection = await asyncpg.connect(deployment.database_url)
    addresses = await connection.fetch("SELECT * FROM order_addresses LEFT JOIN user_keys USING (key_id)")
    letters = await connection.fetch("SELECT * FROM dead_letters")
    await connection.close()
    for row in addresses:
        clear = orders.decrypt_address(row["order_id"], row)
        assert len(set(traces("", clear))) == len(CANARIES)
    for row in letters:
        body, headers = dead_letters.opened(dict(row))
        assert CANARIES[0].encode() in body
        assert list(traces("headers of a dead letter", headers)) == []
