"""Handles requests for an order number before there is an order.

    order.number.issue                then
    --------------------------------  -------------------------------------------------------------------------
    for a known channel and method    an unused number, which one order.create of this user may bring along
    otherwise                         command.rejected: ORDER_CHANNEL_INVALID, PAY_METHOD_INVALID

A number that no order uses leaves a gap. Without this command an order gets its number when it is accepted (S3-08,
S4-09).
"""

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.orders import OrderNumberIssue, OrderNumberIssued
from workers import shop
from workers.domain.codes import Code
from workers.domain.order_validation import METHODS
from workers.domain.refusal import Refusal
from workers.domain.shop import CHANNELS
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import commands
from workers.store import ids


def decide(body: OrderNumberIssue) -> Refusal | None:
    """Return why no number is issued, or None. No I/O."""
    if body.channel not in CHANNELS:
        return Refusal(Code.ORDER_CHANNEL_INVALID, f"the channel is one of {', '.join(CHANNELS)}", {"field": "channel"})
    if body.method is not None and body.method not in METHODS:
        return Refusal(Code.PAY_METHOD_INVALID, f"the method is one of {', '.join(METHODS)}", {"field": "method"})
    return None


async def issue_numbers(tx: Transaction, batch: Batch[OrderNumberIssue]) -> None:
    """Take one of today's numbers for each accepted command, in one statement."""
    claims = await commands.claim(tx, batch)
    outcomes: commands.Outcomes = {}
    granted: list[Envelope[OrderNumberIssue]] = []

    for item in claims.fresh:
        refusal = decide(item.body)
        if refusal is None:
            granted.append(item)
        else:
            outcomes[commands.key_of(item)] = commands.rejected(item, refusal), item

    numbered = [ids.NumberOf(item.body.user_id, item.body.channel, item.body.method) for item in granted]
    numbers = await ids.issue_order_numbers(tx, numbered, shop.current().business_time_zone)
    for item, number in zip(granted, numbers, strict=True):
        outcomes[commands.key_of(item)] = OrderNumberIssued(user_id=item.body.user_id, order_no=number), item
    answers = await commands.conclude(tx, outcomes)
    news = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*news, *answers, *claims.answers])


ROUTE = Route(queue="order-numbers", handler=issue_numbers)
