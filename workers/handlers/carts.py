"""Handles changes of carts.

    message        then
    -------------  -----------------------------------------------------------
    cart.put       the cart's line is set to this number of units: cart.changed
    cart.remove    the line is removed from the cart: cart.changed

A cart reserves no stock and promises no price. Lines that are ordered leave it with order.created (stock_results.py).
"""

from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.carts import CartChanged, CartPut, CartRemove
from messages.envelope import Envelope
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import commands
from workers.store import buyers, carts

Change: TypeAlias = CartPut | CartRemove


def decide(item: Envelope[Change]) -> CartChanged:
    """Return the units that the cart's line has from now on. No I/O."""
    body = item.body
    return CartChanged(user_id=body.user_id, sku_id=body.sku_id, qty=body.qty if isinstance(body, CartPut) else 0)


async def change_carts(tx: Transaction, batch: Batch[Change]) -> None:
    """Lock every user once. If a batch changes a line twice, the last change counts."""
    claims = await commands.claim(tx, batch)
    await buyers.lock(tx, [item.body.user_id for item in claims.fresh])
    outcomes: commands.Outcomes = {}
    units: dict[carts.LineKey, int] = {}

    for item in claims.fresh:
        changed = decide(item)
        units[changed.user_id, changed.sku_id] = changed.qty
        outcomes[commands.key_of(item)] = changed, item

    await carts.save(tx, units)
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *answers, *claims.answers])


ROUTE = Route(queue="carts", handler=change_carts)
