"""Orders, their lines, addresses, snapshots and operate log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.envelope import Envelope
from messages.orders import Address
from workers.domain.book import Book, Step
from workers.domain.order import CancelType, Order, OrderKind, State
from workers.domain.refund_amounts import BoughtLine, RefundLine
from workers.domain.shop import DeductOn, OnPaymentFailure

SNAPSHOT_RISK = 6


async def lock(tx: Transaction, ids: Iterable[int]) -> dict[int, Order]:
    """Order id -> order, locked until commit; unknown ids are missing."""
    rows = await tx.fetch(SQL["orders.lock"], sorted(set(ids)))
    return {row["id"]: _order(row) for row in rows}


def _order(row: Any) -> Order:
    fields = dict(row)
    fields["state"] = State(row["state"])
    fields["kind"] = OrderKind(row["kind"])
    fields["deduct_on"] = DeductOn(row["deduct_on"])
    fields["on_payment_failure"] = OnPaymentFailure(row["on_payment_failure"])
    fields["cancel_type"] = None if row["cancel_type"] is None else CancelType(row["cancel_type"])
    return Order(**fields)


async def save(tx: Transaction, book: Book[Envelope[Any]]) -> None:
    """Write every changed order once, guarded by the version and state that were read, and log every step."""
    changed = book.changed
    if changed:
        before = [book.before[order.id] for order in changed]
        rows = await tx.fetch(SQL["orders.save"], *_guards(before), *_columns(changed))
        assert len(rows) == len(changed), "another transaction changed a locked order"
        freed = [o.id for o in changed if o.state is State.REJECTED and book.before[o.id].order_no is not None]
        if freed:
            await tx.execute(SQL["ids.free_issued_numbers"], freed)
    await log(tx, book.steps)


def _guards(before: Sequence[Order]) -> tuple[list[Any], ...]:
    return [o.id for o in before], [o.version for o in before], [o.state for o in before]


def _columns(orders: Sequence[Order]) -> list[list[Any]]:
    names = (
        "version",
        "state",
        "order_no",
        "intent_id",
        "expire_at",
        "cancel_type",
        "reason",
        "deleted",
        "captured_amount",
        "refunded_amount",
        "paid_at",
        "shipped_at",
        "delivered_at",
        "completed_at",
        "cancelled_at",
    )
    return [[getattr(order, name) for order in orders] for name in names]


async def log(tx: Transaction, steps: Sequence[Step[Envelope[Any]]]) -> None:
    """Write one operate-log row per step (R-11)."""
    if not steps:
        return
    await tx.execute(
        SQL["orders.log"],
        [s.order.id for s in steps],
        [s.order.version for s in steps],
        [s.trigger.operate_type for s in steps],
        [s.previous for s in steps],
        [s.order.state for s in steps],
        [s.who.type for s in steps],
        [s.who.id for s in steps],
        [s.because.body.TYPE for s in steps],
        [s.because.id for s in steps],
        [s.trigger for s in steps],
    )


def encrypt_addresses(addresses: Sequence[tuple[int, Address]]) -> tuple[list[Any], ...]:
    """The columns of addresses: order ids, countries, key ids, ciphertexts."""
    made = [cipher.current().encrypt(a.model_dump_json().encode(), _aad(order_id)) for order_id, a in addresses]
    ids, countries = [order_id for order_id, _ in addresses], [a.country for _, a in addresses]
    return ids, countries, [key_id for key_id, _ in made], [ciphertext for _, ciphertext in made]


def decrypt_address(order_id: int, key_id: str, ciphertext: bytes) -> bytes:
    """An order's address as JSON, in clear. Raises CipherError if its key is not configured."""
    return cipher.current().decrypt(key_id, ciphertext, _aad(order_id))


def _aad(order_id: int) -> bytes:
    """Bind the ciphertext to its order, so that it cannot be passed off as another order's."""
    return b"order_address:%d" % order_id


async def item_snapshots(tx: Transaction, ids: Iterable[int]) -> dict[int, bytes]:
    """Order id -> the lines as they were sold, as JSON."""
    rows = await tx.fetch(SQL["orders.item_snapshots"], sorted(ids))
    return {row["order_id"]: row["data"].encode() for row in rows}


async def lines(tx: Transaction, ids: Iterable[int]) -> dict[int, list[BoughtLine]]:
    """Order id -> its lines. The caller has locked the orders."""
    wanted = sorted(set(ids))
    found: dict[int, list[BoughtLine]] = {order_id: [] for order_id in wanted}
    if wanted:
        for row in await tx.fetch(SQL["orders.lines"], wanted):
            found[row["order_id"]].append(BoughtLine(*tuple(row)[1:]))
    return found


async def give_back_lines(tx: Transaction, parts: Sequence[tuple[int, RefundLine]]) -> None:
    """Add units and money to what each line has given back: (order id, part)."""
    if parts:
        await tx.execute(
            SQL["orders.give_back_lines"],
            [order_id for order_id, _ in parts],
            [part.line_no for _, part in parts],
            [part.qty for _, part in parts],
            [part.amount for _, part in parts],
        )


async def addresses(tx: Transaction, ids: Iterable[int]) -> dict[int, tuple[int, str]]:
    """Order id -> (number of address changes, country)."""
    rows = await tx.fetch(SQL["orders.address_changes"], sorted(set(ids)))
    return {row["order_id"]: (row["modify_count"], row["country"]) for row in rows}


async def change_addresses(tx: Transaction, addresses: Mapping[int, Address]) -> None:
    """Replace the ciphertext of each order's address."""
    if addresses:
        rows = await tx.fetch(
            SQL["orders.change_addresses"], *encrypt_addresses(sorted(addresses.items(), key=lambda kv: kv[0]))
        )
        assert len(rows) == len(addresses), "an order without an address cannot get a new one"


async def judged(tx: Transaction, ids: Iterable[int]) -> set[int]:
    """The orders, of these, that have a risk verdict."""
    wanted = sorted(ids)
    return {row["order_id"] for row in await tx.fetch(SQL["orders.judged"], wanted)} if wanted else set()


async def keep_verdicts(tx: Transaction, verdicts: Sequence[tuple[int, str, str | None, str | None]]) -> None:
    """Store the risk check's verdicts: (order id, verdict, reason, broker user)."""
    if verdicts:
        data = [orjson.dumps({"verdict": v, "reason": why, "by": user}).decode() for _, v, why, user in verdicts]
        ids = [order_id for order_id, *_ in verdicts]
        await tx.execute(SQL["orders.insert_snapshots"], ids, [SNAPSHOT_RISK] * len(ids), data)
