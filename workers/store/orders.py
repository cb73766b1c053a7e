"""Orders, their lines, addresses, snapshots and operate log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from messages.orders import Address
from workers.domain.book import Book, Step
from workers.domain.order import FINISHED, CancelType, Order, OrderKind, State
from workers.domain.refund_amounts import BoughtLine, RefundLine
from workers.domain.ship_promises import promise_of
from workers.domain.shop import CancelPaid, CaptureOn, CompleteOn, DeductOn, OnLatePayment, OnPaymentFailure, OnShortage
from workers.store.ids import FAMILY_SPREAD, bounds

SNAPSHOT_RISK = 6
LOG_COLUMNS = 10
INTENT_COLUMNS = 6
PROMISE = ("ship_within_seconds", "ship_cutoff", "ship_time_zone", "ship_hours")


async def lock(tx: Transaction, ids: Iterable[int]) -> dict[int, Order]:
    """Order id -> order, locked until commit; unknown ids are missing."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["orders.lock"], wanted, *bounds(wanted, FAMILY_SPREAD))
    with_hours = [row["id"] for row in rows if row["ship_hours"] is not None]
    # after the lock, because the reservation may have moved their lines meanwhile
    found = await tx.fetch(SQL["orders.warehouses"], with_hours) if with_hours else ()
    places = {row["order_id"]: row["warehouses"] for row in found}
    return {row["id"]: _order(row, places.get(row["id"], ())) for row in rows}


def _order(row: Any, warehouses: Sequence[str]) -> Order:
    fields = dict(row)
    fields["state"] = State(row["state"])
    fields["kind"] = OrderKind(row["kind"])
    fields["deduct_on"] = DeductOn(row["deduct_on"])
    fields["on_payment_failure"] = OnPaymentFailure(row["on_payment_failure"])
    fields["on_shortage"] = OnShortage(row["on_shortage"])
    fields["capture_on"] = CaptureOn(row["capture_on"])
    fields["on_late_payment"] = OnLatePayment(row["on_late_payment"])
    fields["complete_on"] = CompleteOn(row["complete_on"])
    fields["cancel_paid"] = CancelPaid(row["cancel_paid"])
    within, cutoff, zone, hours = (fields.pop(name) for name in PROMISE)
    fields["promise"] = promise_of(within, cutoff, zone, hours, warehouses)
    fields["cancel_type"] = None if row["cancel_type"] is None else CancelType(row["cancel_type"])
    return Order(**fields)


async def save(tx: Transaction, book: Book[Envelope[Any]], *, payable: Sequence[Order] = ()) -> None:
    """Write every changed order once, guarded by the version and state that were read, and log every step.

    An intent is opened for each `payable` order, for its whole amount, until the order expires.
    The end of an order ends its holds.
    """
    changed = book.changed
    if changed:
        orders = columns(_row(book.before[order.id], order) for order in changed)
        steps, intents = columns(_log_rows(book.steps), LOG_COLUMNS), columns(map(_intent, payable), INTENT_COLUMNS)
        rows = await tx.fetch(SQL["orders.save"], *orders, *steps, *intents, *bounds(orders[0]))
        assert len(rows) == len(changed), "another transaction changed a locked order"
        freed = [o.id for o in changed if o.state is State.REJECTED and book.before[o.id].order_no is not None]
        if freed:
            await tx.execute(SQL["ids.free_issued_numbers"], freed)
        ended = [o.id for o in changed if o.state in FINISHED and book.before[o.id].held]
        if ended:
            await tx.execute(SQL["holds.end"], ended)
    else:
        await log(tx, book.steps)


def _intent(order: Order) -> tuple[Any, ...]:
    purpose = "exchange_diff" if order.kind is OrderKind.EXCHANGE else "order"
    return order.intent_id, order.id, order.payable_amount, order.currency, order.expire_at, purpose


def _row(before: Order, after: Order) -> tuple[Any, ...]:
    return (
        before.id,
        before.version,
        before.state,
        after.version,
        after.state,
        after.order_no,
        after.intent_id,
        after.expire_at,
        after.cancel_type,
        after.reason_code,
        after.deleted,
        after.captured_amount,
        after.refunded_amount,
        after.paid_at,
        after.shipped_at,
        after.delivered_at,
        after.completed_at,
        after.cancelled_at,
        after.held,
    )


async def log(tx: Transaction, steps: Sequence[Step[Envelope[Any]]]) -> None:
    """Write one operate-log row per step (R-11)."""
    if steps:
        await tx.execute(SQL["orders.log"], *columns(_log_rows(steps)))


def _log_rows(steps: Sequence[Step[Envelope[Any]]]) -> list[tuple[Any, ...]]:
    return [
        (
            step.order.id,
            step.order.version,
            step.trigger.operate_type,
            step.previous,
            step.order.state,
            step.who.type,
            step.who.id,
            step.because.body.TYPE,
            step.because.id,
            step.trigger,
        )
        for step in steps
    ]


def encrypt_address(key: cipher.Sealer, order_id: int, address: Address) -> tuple[int, str, str, bytes]:
    """Return (order id, country, key id, ciphertext). `key` is that of the order's user."""
    key_id, ciphertext = key.encrypt(address.model_dump_json().encode(), address_aad(order_id))
    return order_id, address.country, key_id, ciphertext


def decrypt_address(order_id: int, row: Any) -> bytes:
    """Return an order's address as JSON, in clear.

    The row has key_id and ciphertext of order_addresses, and shop_key_id and wrapped of user_keys, joined by key_id.
    Raises ErasedError if the user was erased, CipherError if the shop's key is not configured.
    """
    wrapped = cipher.Wrapped.of(row)
    return cipher.current().decrypt(row["key_id"], row["ciphertext"], address_aad(order_id), wrapped)


def address_aad(order_id: int) -> bytes:
    """Bind the ciphertext to its order, so that it cannot be passed off as another order's."""
    return b"order_address:%d" % order_id


async def sold_lines(tx: Transaction, ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """Order id -> its lines as they were sold: the fields of EventLine."""
    found: dict[int, list[dict[str, Any]]] = {}
    wanted = sorted(ids)
    for row in await tx.fetch(SQL["orders.sold_lines"], wanted, *bounds(wanted)):
        fields = dict(row)
        found.setdefault(fields.pop("order_id"), []).append(fields)
    return found


async def as_created(tx: Transaction, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Return what order.created states of each of these orders, which were created, apart from its lines."""
    return [dict(row) for row in await tx.fetch(SQL["orders.as_created"], sorted(ids))]


async def lines(tx: Transaction, ids: Iterable[int]) -> dict[int, list[BoughtLine]]:
    """Order id -> its lines. The caller has locked the orders."""
    wanted = sorted(set(ids))
    found: dict[int, list[BoughtLine]] = {order_id: [] for order_id in wanted}
    if wanted:
        for row in await tx.fetch(SQL["orders.lines"], wanted, *bounds(wanted)):
            found[row["order_id"]].append(BoughtLine(*tuple(row)[1:]))
    return found


async def give_back_lines(tx: Transaction, parts: Sequence[tuple[int, RefundLine]]) -> None:
    """Add units and money to what each line has given back: (order id, part)."""
    if parts:
        rows = [(order_id, part.line_no, part.qty, part.amount, part.shipping) for order_id, part in parts]
        await tx.execute(SQL["orders.give_back_lines"], *columns(rows))


class DroppedUnits(NamedTuple):
    """Units of one line that the order will not ship: (order id, ref) is their cause, `kind` is short or cancelled."""

    order_id: int
    ref: str
    line_no: int
    kind: str
    qty: int


async def drop_units(tx: Transaction, dropped: Sequence[DroppedUnits]) -> None:
    """Record units that will not be shipped. Their lines have given them back already."""
    if dropped:
        await tx.execute(SQL["orders.drop_units"], *columns(dropped))


class KnownAddress(NamedTuple):
    """How often an order's address was changed, its country, and what encrypts another one.

    `at_carrier`: a carrier has it, or is to get it, for a parcel that we book.
    """

    changes: int
    country: str
    key: cipher.Sealer
    at_carrier: bool


async def addresses(tx: Transaction, ids: Iterable[int]) -> dict[int, KnownAddress]:
    """Order id -> what is known of its address without reading it."""
    rows = await tx.fetch(SQL["orders.address_changes"], sorted(set(ids)))
    seal = cipher.current().sealer
    return {
        row["order_id"]: KnownAddress(
            row["modify_count"], row["country"], seal(cipher.Wrapped.of(row)), row["at_carrier"]
        )
        for row in rows
    }


async def change_addresses(
    tx: Transaction, addresses: Mapping[int, Address], known: Mapping[int, KnownAddress]
) -> None:
    """Replace the ciphertext of each order's address."""
    if addresses:
        sealed = [encrypt_address(known[key].key, key, addresses[key]) for key in sorted(addresses)]
        rows = await tx.fetch(SQL["orders.change_addresses"], *columns(sealed))
        assert len(rows) == len(addresses), "an order without an address cannot get a new one"


@dataclass(frozen=True)
class RiskStanding:
    """Whether an order has its risk verdict, the seconds for a captcha, and SKU -> the warehouses that may have it."""

    judged: bool
    captcha_window_seconds: int
    warehouses: Mapping[str, Sequence[str]]


async def risk_standings(tx: Transaction, ids: Iterable[int]) -> dict[int, RiskStanding]:
    """Order id -> whether it has a verdict of the risk check, and what was kept for that."""
    wanted = sorted(ids)
    rows = await tx.fetch(SQL["orders.judged"], wanted) if wanted else []
    return {
        row["id"]: RiskStanding(
            row["judged"], row["captcha_window_seconds"], orjson.loads(row["other_warehouses"] or "{}")
        )
        for row in rows
    }


async def move_lines(tx: Transaction, moved: Sequence[tuple[int, str, str]]) -> None:
    """Have the lines of (order id, SKU) come from this warehouse. They are locked, and placed or reinstated now."""
    if moved:
        await tx.execute(SQL["orders.move_lines"], *columns(moved))


async def keep_verdicts(tx: Transaction, verdicts: Sequence[tuple[int, str, str | None]]) -> None:
    """Store the risk check's verdicts: (order id, verdict, broker user)."""
    if verdicts:
        rows = [
            (order_id, SNAPSHOT_RISK, orjson.dumps({"verdict": verdict, "by": user}).decode())
            for order_id, verdict, user in verdicts
        ]
        await tx.execute(SQL["orders.insert_snapshots"], *columns(rows))
