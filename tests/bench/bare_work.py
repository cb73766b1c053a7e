"""The work itself, without anything around it: the same rows and the same messages for a batch of each queue.

No models: bodies are trusted. No inbox, no outbox, no relay, no halving, no retries: each function is one transaction,
and returns what is to be published after it. A crash between commit and publish loses those messages.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import orjson

from db import cipher
from db.pool import Pool, Transaction
from db.statements import SQL
from messages.user_shards import shard_of_user
from workers.domain.ids import make_id, order_number
from workers.store.ids import FAMILY_SPREAD, bounds

PACK_ITEMS = 200
WINDOW = timedelta(seconds=1800)
SAGA = timedelta(seconds=600)
SOLD = ("line_no", "sku_id", "name", "qty", "unit_price", "payable")
ZONE = "Asia/Shanghai"
PREFIX = os.environ.get("OMS_PREFIX", "oms")


@dataclass(frozen=True)
class Out:
    """One message to publish."""

    exchange: str
    routing_key: str
    type: str
    body: bytes
    headers: dict[str, Any]


def pack(exchange: str, key: str, type_: str, items: Sequence[Any], *, packed: bool) -> list[Out]:
    """Put many items into one message if `packed`, else each item into its own message."""
    size = PACK_ITEMS if packed else 1
    groups = [items[n : n + size] for n in range(0, len(items), size)]
    now = datetime.now(UTC).isoformat()
    return [Out(exchange, key, type_, orjson.dumps({"items": group}), {"occurred-at": now}) for group in groups]


async def create(pool: Pool, bodies: Sequence[bytes], *, packed: bool) -> list[Out]:
    """Turn order.create into orders in the state placing, and return the stock.reserve messages."""
    orders = [orjson.loads(body) for body in bodies]
    async with pool.acquire() as tx, tx.transaction():
        now: datetime = await tx.fetchval("SELECT clock_timestamp()")
        await _claim(tx, orders, bodies)
        wanted = list({line["sku_id"] for order in orders for line in order["items"]})
        skus = {row["sku_id"]: row for row in await tx.fetch(SQL["skus.read"], wanted)}
        ids = await _ids(tx, [order["user_id"] for order in orders])
        await _insert_orders(tx, ids, orders, skus, now)
    reserves = [_reserve(key, order, now + SAGA) for key, order in zip(ids, orders, strict=True)]
    return pack(f"{PREFIX}.internal", "stock.reserve", "stock.reserve.v1", reserves, packed=packed)


def _reserve(key: int, order: dict[str, Any], deadline: datetime) -> dict[str, Any]:
    lines = [{"sku_id": i["sku_id"], "warehouse": "main", "qty": i["qty"]} for i in order["items"]]
    return {"group_id": key, "deadline": deadline.isoformat(), "lines": lines}


async def _claim(tx: Transaction, orders: Sequence[dict[str, Any]], bodies: Sequence[bytes]) -> None:
    count = len(orders)
    await tx.fetch(
        SQL["commands.claim"],
        [f"order.create:{order['user_id']}" for order in orders],
        [order["request_id"] for order in orders],
        ["order.create.v1"] * count,
        [blake2b(body, digest_size=16).digest() for body in bodies],
        [uuid4().hex for _ in orders],
        [uuid4().hex for _ in orders],
        [None] * count,
    )


async def _ids(tx: Transaction, users: Sequence[str]) -> list[int]:
    return _made(await tx.fetch(SQL["ids.take"], len(users)), users)


def _made(rows: Sequence[Any], users: Sequence[str]) -> list[int]:
    return [make_id(r["at_ms"], shard_of_user(u), r["sequence"]) for r, u in zip(rows, users, strict=True)]


async def _insert_orders(tx: Transaction, ids: Sequence[int], orders: Sequence[Any], skus: Any, now: datetime) -> None:
    count = len(ids)
    totals = [sum(skus[i["sku_id"]]["price"] * i["qty"] for i in order["items"]) for order in orders]
    sealed = [cipher.current().encrypt(orjson.dumps(o["address"]), b"order_address:%d" % key)
              for key, o in zip(ids, orders, strict=True)]  # fmt: skip
    none, zero = [None] * count, [0] * count
    lines = [
        (key, n, skus[i["sku_id"]], i["qty"])
        for key, order in zip(ids, orders, strict=True)
        for n, i in enumerate(order["items"], start=1)
    ]
    amounts = [sku["price"] * qty for _, _, sku, qty in lines]
    await tx.execute(
        SQL["orders.insert"], now, ids, ids, none, ["sale"] * count, none, [o["request_id"] for o in orders],
        ["normal"] * count, ["normal"] * count, none, [o["channel"] for o in orders], [o["source"] for o in orders],
        none, [o["user_id"] for o in orders], [o["currency"] for o in orders], totals, zero, zero, zero, zero, zero,
        totals, none, zero, zero, zero, zero, none, none, ["{}"] * count, [now + WINDOW] * count,
        [uuid4().hex for _ in orders], [o["address"]["country"] for o in orders], [k for k, _ in sealed],
        [c for _, c in sealed], ["user"] * count, [o["user_id"] for o in orders], ["bare"] * count,
        [key for key, *_ in lines], [n for _, n, *_ in lines],
        [sku["sku_id"] for _, _, sku, _ in lines], ["main"] * len(lines), [sku["spu_id"] for _, _, sku, _ in lines],
        [sku["name"] for _, _, sku, _ in lines], [sku["product_type"] for _, _, sku, _ in lines],
        [qty for *_, qty in lines], [sku["price"] for _, _, sku, _ in lines], amounts, amounts, ["{}"] * len(lines),
        [None] * len(lines), [sku["seller_id"] for _, _, sku, _ in lines],
        [sku["category_id"] for _, _, sku, _ in lines], *[[]] * 14,
        now + SAGA,
    )  # fmt: skip


async def reserve(pool: Pool, bodies: Sequence[bytes], *, packed: bool) -> list[Out]:
    """Turn stock.reserve into stock counters, holders and ledger rows, and return the stock.reserved messages."""
    wishes = [item for body in bodies for item in orjson.loads(body)["items"]]
    ids = sorted(wish["group_id"] for wish in wishes)
    places = sorted({(line["sku_id"], line["warehouse"]) for wish in wishes for line in wish["lines"]})
    async with pool.acquire() as tx, tx.transaction():
        await tx.execute(SQL["stock.lock_holders"], ids)
        rows = await tx.fetch(SQL["stock.lock_counters"], [sku for sku, _ in places], [house for _, house in places])
        counters = {(row["sku_id"], row["warehouse"]): [row["on_hand"], row["locked"]] for row in rows}
        ledger = [(w["group_id"], line) for w in wishes for line in w["lines"]]
        for _, line in ledger:
            counters[line["sku_id"], line["warehouse"]][1] += line["qty"]
        assert all(locked <= on_hand for on_hand, locked in counters.values())
        await tx.execute(
            SQL["stock.save"], ids, ids, ["reserved"] * len(ids),
            [sku for sku, _ in places], [house for _, house in places],
            [counters[place][0] for place in places], [counters[place][1] for place in places], [0] * len(places),
            [key for key, _ in ledger], [line["sku_id"] for _, line in ledger],
            [line["warehouse"] for _, line in ledger], ["reserve"] * len(ledger), [""] * len(ledger),
            [line["qty"] for _, line in ledger], [1] * len(ids),
        )  # fmt: skip
    done = [{"group_id": key} for key in ids]
    return pack(f"{PREFIX}.internal", "stock.reserved", "stock.reserved.v1", done, packed=packed)


async def settle(pool: Pool, bodies: Sequence[bytes], *, packed: bool) -> list[Out]:
    """Turn stock.reserved into orders that await payment; return order.created and the delayed payment timers."""
    ids = sorted(item["group_id"] for body in bodies for item in orjson.loads(body)["items"])
    count = len(ids)
    async with pool.acquire() as tx, tx.transaction():
        now: datetime = await tx.fetchval("SELECT clock_timestamp()")
        rows = await tx.fetch(SQL["orders.lock"], ids, *bounds(ids, FAMILY_SPREAD))
        shown: dict[int, list[dict[str, Any]]] = {key: [] for key in ids}
        for line in await tx.fetch(SQL["orders.sold_lines"], ids, *bounds(ids)):
            shown[line["order_id"]].append({name: line[name] for name in SOLD})
        taken = await tx.fetch(SQL["ids.take_with_numbers"], count, count, ZONE)
        intents = _made(taken, [row["user_id"] for row in rows])
        numbers = [
            order_number(new["day"], "00", new["number"], shard_of_user(row["user_id"]))
            for new, row in zip(taken, rows, strict=True)
        ]
        expires, nothing = [now + WINDOW] * count, [None] * count
        saved = await tx.fetch(
            SQL["orders.save"], ids, [1] * count, ["placing"] * count, [2] * count, ["awaiting_payment"] * count,
            numbers, intents, expires, nothing, nothing, [False] * count, [0] * count, [0] * count, nothing, nothing,
            nothing, nothing, nothing, [False] * count,
            ids, [2] * count, [10] * count, ["placing"] * count, ["awaiting_payment"] * count,
            ["system"] * count, ["oms"] * count, ["stock.reserved.v1"] * count, ["bare"] * count, ["reserved"] * count,
            intents, ids, [row["payable_amount"] for row in rows], [row["currency"] for row in rows], expires,
            ["order"] * count, *bounds(ids),
        )  # fmt: skip
        assert len(saved) == count
        await tx.execute(SQL["timers.change"], ["saga"] * count, ids, ["payment"] * count, ids, expires, expires)
        events = [_created(*of, expires[0], shown[of[0]["id"]]) for of in zip(rows, numbers, intents, strict=True)]
        await tx.fetch(
            SQL["commands.conclude"], [f"order.create:{row['user_id']}" for row in rows],
            [row["request_id"] for row in rows], ["order.created.v1"] * count, nothing, ids,
        )  # fmt: skip
    due = [{"kind": "payment", "key": str(key), "due_at": expires[0].isoformat()} for key in ids]
    wake = pack(f"{PREFIX}.delay", f"1800s.{PREFIX}.timeouts", "timer.due.v1", due, packed=packed)
    headers = [{"occurred-at": now.isoformat(), "stream": str(key), "seq": 1} for key in ids]
    return wake + [
        Out(f"{PREFIX}.events", "order.created", "order.created.v1", event, of)
        for event, of in zip(events, headers, strict=True)
    ]


def _created(row: Any, number: str, intent_id: int, pay_before: datetime, lines: Any) -> bytes:
    return orjson.dumps(
        {
            "order_id": str(row["id"]),
            "order_no": number,
            "user_id": row["user_id"],
            "state": "awaiting_payment",
            "previous": "placing",
            "version": 2,
            "amounts": {"currency": row["currency"], "origin": row["origin_amount"], "promotion": 0, "coupon": 0,
                        "points": 0, "shipping": row["shipping_fee"], "tax": 0, "payable": row["payable_amount"]},
            "cause": {"type": "stock.reserved.v1", "id": "bare", "actor": {"type": "system", "id": "oms"}},
            "request_id": row["request_id"],
            "intent_id": str(intent_id),
            "pay_before": pay_before.isoformat(),
            "lines": lines,
        }
    )  # fmt: skip


STEPS = {"order-creation": create, "stock": reserve, "stock-results": settle}
"""Maps a queue to the function that handles a batch of its messages."""
