"""What happens when the shop's catalogue changes.

sku.upsert has                        then
------------------------------------  -------------------------------------------------
a higher revision than the one known  the SKU is as it says from now on: sku.changed
the same or a lower one               recorded, nothing changes: sku.unchanged
"""

from collections.abc import Sequence
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.catalogue import SkuChanged, SkuUnchanged, SkuUpsert
from messages.envelope import Envelope
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.store import commands, skus

Item: TypeAlias = Envelope[SkuUpsert]


def newest(items: Sequence[Item], known: dict[str, int]) -> tuple[dict[str, SkuUpsert], commands.Outcomes]:
    """The revision each SKU ends up with, and the outcome of each message. No I/O."""
    current, wins = dict(known), {}
    outcomes: commands.Outcomes = {}
    for item in items:
        body = item.body
        have = current.get(body.sku_id, 0)
        event: Event = SkuChanged(sku_id=body.sku_id, revision=body.revision)
        if body.revision > have:
            current[body.sku_id], wins[body.sku_id] = body.revision, body
        else:
            event = SkuUnchanged(sku_id=body.sku_id, revision=body.revision, current_revision=have)
        outcomes[commands.key_of(body)] = event, item
    return wins, outcomes


async def change_catalogue(tx: Transaction, batch: Batch[SkuUpsert]) -> None:
    """Write each SKU once, however many revisions arrived."""
    claims = await commands.claim(tx, batch)
    known = await skus.lock_revisions(tx, [item.body.sku_id for item in claims.fresh])
    wins, outcomes = newest(claims.fresh, known)
    await skus.upsert(tx, list(wins.values()))
    answers = await commands.conclude(tx, outcomes)
    news = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*news, *answers, *claims.answers])


ROUTE = Route(queue="catalogue", handler=change_catalogue)
