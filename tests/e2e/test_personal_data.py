"""A phone number, a name and a street go through everything we have, and lie nowhere in clear."""

import base64
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import orjson
import pytest

from db import cipher
from db.pool import open_pool
from tests.chaos.deployment import SKU, Plant
from tests.conftest import Broker
from tests.e2e.raw_amqp import Raw
from tests.e2e.upstream import order_body
from workers.services import dead_letters as dead_letter_decisions
from workers.store import dead_letters

CANARIES = ("13987654321", "Canary Zhang", "Canary Street 77", "200099")
ADDRESS = {
    "receiver": CANARIES[1], "phone": CANARIES[0], "country": "CN", "detail": CANARIES[2], "postcode": CANARIES[3],
}  # fmt: skip
HEARD = "client.upstream.heard"


def traces(where: str, content: bytes) -> Iterator[str]:
    """Every canary in a text, as it is, as hexadecimal digits or as base64."""
    for canary in CANARIES:
        raw = canary.encode()
        for form in (raw, raw.hex().encode(), base64.b64encode(raw)[:-4], orjson.dumps(canary)[1:-1]):
            if form in content:
                yield f"{canary} in {where}"


async def dump(plant: Plant) -> dict[str, bytes]:
    """Every row of every table and view as text, bytes as hexadecimal digits."""
    connection = await asyncpg.connect(plant.database_url)
    names = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name"
    )
    dumped = {}
    for (name,) in names:
        rows = await connection.fetch(f'SELECT t::text AS row FROM "{name}" AS t')
        dumped[name] = "\n".join(row["row"] for row in rows).encode()
    await connection.close()
    return dumped


async def nothing_is_in_the_database(plant: Plant) -> None:
    assert [found for table, content in (await dump(plant)).items() for found in traces(table, content)] == []


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
"""Messages that are refused while they are read, each at a place where an error could quote what it holds."""


@pytest.fixture
async def plant(
    declared_broker: Broker, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plant]:
    """Servers; nothing runs yet."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])  # as the processes will
    made = Plant(declared_broker, database_url, tmp_path_factory.mktemp("personal"))
    try:
        yield made
    finally:
        made.kill()


async def test_personal_data_is_in_clear_nowhere(plant: Plant) -> None:
    async with (
        await aio_pika.connect(plant.broker["upstream"]) as connection,
        Raw.connect(plant.broker["upstream"]) as raw,
    ):
        channel = await connection.channel()
        heard = await channel.declare_queue(HEARD, exclusive=True)
        await heard.bind(plant.broker.names.events, "#")
        plant.start("worker")
        await plant.fill()
        await plant.until("SELECT EXISTS (SELECT FROM skus)")

        await _publish(plant, raw, order(), *BAD)
        await _publish(plant, raw, order(), key="order.nobody")
        await plant.until(
            f"SELECT (SELECT count(*) FROM orders) = 1 AND (SELECT count(*) FROM dead_letters) = {len(BAD) + 1}"
        )
        await nothing_is_in_the_database(plant)
        await _replay_the_unrouted(plant)
        assert await plant.ask("SELECT count(*) FROM outbox WHERE type = 'order.create.v1'") == 1
        await nothing_is_in_the_database(plant)

        plant.start("relay")
        await plant.until("SELECT count(*) FILTER (WHERE state = 'awaiting_payment') = 2 FROM orders")
        moved = {
            "request_id": uuid4().hex,
            "actor": {"type": "user", "id": "u1"},
            "address": ADDRESS,
            "order_id": str(await plant.ask("SELECT min(id) FROM orders")),
        }
        await _publish(plant, raw, orjson.dumps(moved), key="order.change_address")
        await plant.until("SELECT sum(modify_count) = 1 FROM order_addresses")
        await plant.until("SELECT count(*) = 0 FROM outbox")
        assert set(await plant.stop()) == {0}
        await nothing_is_in_the_database(plant)
        await _no_event_tells(heard)
    assert b"dead letter" in plant.logs()
    assert list(traces("the logs", plant.logs())) == []
    await _who_has_the_key_can_read(plant)


async def _publish(plant: Plant, raw: Raw, *bodies: bytes, key: str = "order.create") -> None:
    type_ = key if key == "order.change_address" else "order.create"
    for body in bodies:
        await raw.publish(
            plant.broker.names.commands, key, body, type=f"{type_}.v1", message_id=uuid4().hex, user_id=raw.user
        )


async def _replay_the_unrouted(plant: Plant) -> None:
    pool = await open_pool(plant.database_url, application_name="tests", max_size=1)
    async with pool.acquire() as tx, tx.transaction():
        row_id = await tx.fetchval("SELECT id FROM dead_letters WHERE queue = 'unrouted'")
        rows = await dead_letters.lock(tx, [row_id])
        await dead_letter_decisions.replay(tx, rows, to="order-creation", actor="test", reason="a typo in the key")
    await pool.close()


async def _no_event_tells(heard: aio_pika.abc.AbstractQueue) -> None:
    told = 0
    while (message := await heard.get(no_ack=True, fail=False)) is not None:
        told += 1
        content = message.body + repr((message.headers, message.properties)).encode()
        assert list(traces(f"the event {message.type}", content)) == []
    assert told == 5, "the SKU, its stock, two orders, another address"


async def _who_has_the_key_can_read(plant: Plant) -> None:
    connection = await asyncpg.connect(plant.database_url)
    addresses = await connection.fetch("SELECT * FROM order_addresses")
    letters = await connection.fetch("SELECT * FROM dead_letters")
    await connection.close()
    for row in addresses:
        clear = cipher.current().decrypt(row["key_id"], row["ciphertext"], b"order_address:%d" % row["order_id"])
        assert len(set(traces("", clear))) == len(CANARIES)
    for row in letters:
        body, headers = dead_letters.opened(dict(row))
        assert CANARIES[0].encode() in body
        assert list(traces("headers of a dead letter", headers)) == []
