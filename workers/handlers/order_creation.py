"""What happens when somebody places an order.

    order.create is                                  then
    -----------------------------------------------  ----------------------------------------------------------------
    new, its price is what the client expects        placing: stock.reserve with a deadline, saga timer
    new, refused (empty, unknown SKU, price, ...)    command.rejected with a code, nothing is written but that
    a repeat of the same request                     the stored outcome again, to the repeat's own reply_to
    the same request id with another payload         IDEMPOTENCY_CONFLICT

A placing order is announced by stock_results, when everything it needs is reserved.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.orders import OrderCreate
from messages.stock import StockReserve
from workers.domain.pricing import Quote, Sku, Wanted, quote
from workers.domain.refusal import Refusal
from workers.domain.shop import BUSINESS_TYPES, CHANNELS, Shop
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.store import commands, ids, orders, shop, skus, timers


def decide(body: OrderCreate, catalogue: Mapping[str, Sku], rules: Shop) -> Quote | Refusal:
    """The price of the order, or why it is not taken. No I/O."""
    if body.channel not in CHANNELS:
        return Refusal("ORDER_CHANNEL_INVALID", f"the channel is one of {', '.join(CHANNELS)}", {"field": "channel"})
    if body.business_type not in BUSINESS_TYPES:
        known = ", ".join(sorted(BUSINESS_TYPES))
        return Refusal("ORDER_BUSINESS_TYPE_INVALID", f"it is one of {known}", {"field": "business_type"})
    if body.address is None:
        return Refusal("ORDER_ADDRESS_MISSING", "the order says nothing of where it goes", {"field": "address"})
    wanted = [Wanted(i.sku_id, i.qty, i.warehouse or rules.default_warehouse) for i in body.items]
    fee, expected = rules.shipping_fee_minor_units, body.expected_pay_amount
    return quote(wanted, catalogue, currency=body.currency, shipping_fee=fee, expected=expected)


async def place_orders(tx: Transaction, batch: Batch[OrderCreate]) -> None:
    """Claim every request once, price them together, write each table once."""
    rules = shop.current()
    claims = await commands.claim(tx, batch)
    catalogue = await skus.read(tx, {line.sku_id for item in claims.fresh for line in item.body.items})
    accepted: list[tuple[Envelope[OrderCreate], Quote]] = []
    refused: list[tuple[Envelope[OrderCreate], Refusal]] = []

    for item in claims.fresh:
        match decide(item.body, catalogue, rules):
            case Refusal() as refusal:
                refused.append((item, refusal))
            case Quote() as price:
                accepted.append((item, price))

    new_ids = await ids.take(tx, [item.body.user_id for item, _ in accepted])
    placed = [orders.Placed(key, item, price) for key, (item, price) in zip(new_ids, accepted, strict=True)]
    deadline = batch.now + timedelta(seconds=rules.saga_deadline_seconds)
    no = {commands.key_of(item.body): (commands.rejected(item, refusal), item) for item, refusal in refused}

    await orders.insert(tx, placed, rules, batch.now)
    await timers.start(tx, [timers.Timer("saga", p.id, deadline) for p in placed])
    answers = await commands.conclude(tx, no)
    told = [outbox.event(event, because=item) for event, item in no.values()]
    await outbox.append(tx, [*(reservation(p, deadline) for p in placed), *told, *answers, *claims.answers])


def reservation(placed: orders.Placed, deadline: datetime) -> outbox.Announcement:
    """All lines or none; too late after the saga's deadline."""
    lines = tuple(
        {"holder_id": placed.id, "sku_id": line.sku.sku_id, "warehouse": line.warehouse, "qty": line.qty}
        for line in placed.quote.lines
    )  # plain, for the model to read all at once: ten lines an order, made one by one, are twice the work
    reserve = StockReserve.model_validate({"group_id": placed.id, "deadline": deadline, "lines": lines})
    return outbox.internal(reserve, because=placed.item)


ROUTE = Route(queue="order-creation", handler=place_orders)
