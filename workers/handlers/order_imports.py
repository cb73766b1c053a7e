"""Handles order.import, with which an operator brings an order of another system.

    order.import is                                then
    ---------------------------------------------  ---------------------------------------------------------------
    of an order that ended there, and adds up      the order is here, completed or cancelled, with its payment and
                                                   refunds as they were made: order_import.recorded
    of an order in another state                   ORDER_IMPORT_STATE_INVALID
    with amounts that do not add up                ORDER_IMPORT_UNBALANCED; details.field says where
    with times that do not follow one another      ORDER_IMPORT_TIMES_INVALID
    of an order or a payment that is here          ORDER_IMPORT_KNOWN; a repeat of the same command gets the stored
                                                   outcome again
    rejected, and comes again corrected            decided anew
    of a user                                      AUTH_FORBIDDEN

Prices are facts and are not computed. It moves no stock, coupon or points, and no event says that the order took a
step: it took them elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import outbox
from db import cipher
from db.pool import Transaction
from messages.base import MoneyShown
from messages.envelope import Envelope
from messages.order_imports import OrderImport, OrderImportRecorded
from workers import shop
from workers.domain.codes import Code
from workers.domain.ids import dated
from workers.domain.money import render
from workers.domain.order_imports import (
    OrderTimes,
    SoldLine,
    unbalanced,
    untakable,
    wrong_money,
    wrong_refunds,
    wrong_times,
)
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, commands
from workers.store import buyers, ids, order_imports, order_partitions
from workers.store.ids import NumberOf
from workers.store.order_imports import KnownName, TakenOrder

ImportItem: TypeAlias = Envelope[OrderImport]
BATCH_MAX_ITEMS = 100  # an order may have 200 lines


@dataclass
class ImportContext:
    """What one batch reads and decides with. `known` grows by what it takes."""

    known: set[KnownName]
    keys: Mapping[str, cipher.Sealer]


def decide(body: OrderImport, known: set[KnownName], now: datetime) -> Refusal | None:
    """Return why the order is not taken, or None. No I/O."""
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    lines, numbers = sold(body), range(1, len(body.lines) + 1)
    named = [line.line_no for refund in body.refunds for line in refund.lines]
    refunds = [
        (one.refund_no, [line.line_no for line in one.lines], sum(line.amount for line in one.lines))
        for one in body.refunds
    ]
    times = OrderTimes(
        body.created_at, body.paid_at, body.shipped_at, body.delivered_at, body.completed_at, body.cancelled_at
    )
    paid = None if body.payment is None else body.payment.amount
    return (
        untakable(body.channel, body.state, lines)
        or unbalanced(lines, [number for number in named if number not in numbers])
        or wrong_refunds(refunds)
        or wrong_money(body.state, lines, paid, was_paid=body.paid_at is not None)
        or wrong_times(body.state, times, [refund.refunded_at for refund in body.refunds], now)
        or already_here(body, known)
    )


def sold(body: OrderImport) -> list[SoldLine]:
    """Return the lines as the rules see them."""
    back = returned(body)
    return [
        SoldLine(
            line.qty,
            line.unit_price,
            line.promotion + line.coupon + line.points,
            line.shipping + line.tax,
            line.payable,
            *back.get(number, (0, 0)),
        )
        for number, line in enumerate(body.lines, start=1)
    ]


def returned(body: OrderImport) -> dict[int, tuple[int, int]]:
    """Line number -> the units and the money that all refunds gave back of it."""
    back: dict[int, tuple[int, int]] = {}
    for line in (line for refund in body.refunds for line in refund.lines):
        qty, amount = back.get(line.line_no, (0, 0))
        back[line.line_no] = qty + line.qty, amount + line.amount
    return back


def already_here(body: OrderImport, known: set[KnownName]) -> Refusal | None:
    """Refuse an order that is here, or whose payment is."""
    details = {"source": body.source, "external_no": body.external_no}
    if ("order", body.source, body.external_no) in known:
        return Refusal(Code.ORDER_IMPORT_KNOWN, "this order of that system is here", details | {"field": "external_no"})
    if body.payment and ("payment", body.payment.provider, body.payment.trade_no) in known:
        return Refusal(Code.ORDER_IMPORT_KNOWN, "its payment is here", details | {"field": "payment.trade_no"})
    return None


async def take_orders(tx: Transaction, batch: Batch[OrderImport]) -> None:
    """Claim every order once, decide in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch)
    users = {item.body.user_id for item in claims.fresh}
    await buyers.lock(tx, users)
    keys = {name: user.key for name, user in (await buyers.read(tx, users, batch.now, 0)).items()}
    context = ImportContext(await order_imports.known(tx, [item.body for item in claims.fresh]), keys)
    outcomes: commands.Outcomes = {}
    accepted: list[ImportItem] = []

    for item in claims.fresh:
        refusal = decide(item.body, context.known, batch.now)
        if refusal is not None:
            outcomes[commands.key_of(item)] = commands.rejected(item, refusal), item
            continue
        accepted.append(item)
        context.known.add(("order", item.body.source, item.body.external_no))
        if item.body.payment is not None:
            context.known.add(("payment", item.body.payment.provider, item.body.payment.trade_no))

    taken = await with_ids(tx, accepted, context)
    await order_imports.insert(tx, taken, batch.now)
    outcomes |= {commands.key_of(one.item): (recorded(one), one.item) for one in taken}
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *answers, *claims.answers])


async def with_ids(tx: Transaction, accepted: Sequence[ImportItem], context: ImportContext) -> list[TakenOrder]:
    """Give each accepted order an id and a number of ours, and its intent and each of its refunds an id.

    The id of the order has the time at which it was placed there, by which buyers' lists and the months of orders go.
    """
    rules = shop.current()
    owners = [item.body.user_id for item in accepted for _ in (item, item, *item.body.refunds)]
    numbered = [NumberOf(item.body.user_id, item.body.channel) for item in accepted]
    new_ids, numbers = await ids.take_with_numbers(tx, owners, numbered, rules.business_time_zone)
    left = iter(new_ids)
    oldest = await order_partitions.oldest_ms(tx) if accepted else 0
    return [
        TakenOrder(
            dated(next(left), max(int(item.body.created_at.timestamp() * 1000), oldest)),
            number,
            item,
            next(left),
            [next(left) for _ in item.body.refunds],
            context.keys[item.body.user_id],
            rules.default_warehouse,
            returned(item.body),
        )
        for item, number in zip(accepted, numbers, strict=True)
    ]


def recorded(one: TakenOrder) -> OrderImportRecorded:
    """Build the outcome of an order that was taken."""
    body = one.body

    def money(amount: int) -> MoneyShown:
        return MoneyShown(minor=amount, currency=body.currency, text=render(amount, body.currency))

    return OrderImportRecorded(
        order_id=one.id,
        order_no=one.order_no,
        source=body.source,
        external_no=body.external_no,
        user_id=body.user_id,
        state=body.state,
        payable=money(sum(line.payable for line in body.lines)),
        captured=money(0 if body.payment is None else body.payment.amount),
        refunded=money(sum(amount for _, amount in one.returned.values())),
    )


ROUTE = Route(queue="order-imports", handler=take_orders, batch_max_items=BATCH_MAX_ITEMS)
