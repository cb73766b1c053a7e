"""Handles the orders that buyers save before placing them.

    message                                       then
    --------------------------------------------  --------------------------------------------------------------
    order.draft.save of a new draft               it is kept, address and remark encrypted: order_draft.saved
    order.draft.save of a draft that the user     the same with the next revision; what `keep` names stays as
    has                                           it is stored
    order.draft.delete                            the draft is deleted: order_draft.deleted
    without lines, with too many drafts, ...      command.rejected with a code
    of a draft with another revision, or of one   ORDER_DRAFT_CHANGED, ORDER_DRAFT_IN_USE
    from which an order is being placed
    of no draft, or another user's                ORDER_DRAFT_NOT_FOUND

A draft holds no stock, coupon or points and promises no price. order.create with its id places it (order_creation.py);
it is deleted with order.created (stock_results.py), and stays if the order is rejected.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.envelope import Envelope
from messages.order_drafts import OrderDraftDelete, OrderDraftDeleted, OrderDraftSave, OrderDraftSaved
from workers.domain.order_drafts import too_many, unusable, wrong_keep, wrong_units
from workers.domain.order_validation import unknown_words
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import commands
from workers.store import buyers, order_drafts
from workers.store.order_drafts import Draft, Drafts

DraftChange: TypeAlias = OrderDraftSave | OrderDraftDelete


@dataclass
class DraftContext:
    """What one batch reads and decides with: the drafts of its users, as it changes them, and those that it deletes."""

    drafts: Drafts
    saved: dict[int, Draft] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)


def decide(body: DraftChange, drafts: Mapping[int, Draft]) -> Refusal | None:
    """Return why the command is rejected, or None. `drafts` are the user's. No I/O."""
    if body.draft_id is not None:
        found = drafts.get(body.draft_id)
        refusal = unusable(body.draft_id, found.state if found else None, body.revision)
        if refusal is not None or isinstance(body, OrderDraftDelete):
            return refusal
    given = [name for name in ("address", "remark") if getattr(body, name) is not None]
    return (
        unknown_words(body.channel, "draft", "normal", None, None)
        or wrong_units([line.qty for line in body.items])
        or wrong_keep(body.keep, given, new=body.draft_id is None)
        or (too_many(len(drafts)) if body.draft_id is None else None)
    )


async def change_drafts(tx: Transaction, batch: Batch[DraftChange]) -> None:
    """Lock every user once, decide in order of arrival, write each draft once."""
    claims = await commands.claim(tx, batch)
    new_ids = await buyers.lock_and_take_ids(tx, [item.body.user_id for item in claims.fresh])
    users = {item.body.user_id for item in claims.fresh}
    known = await buyers.read(tx, users, since=batch.now, orders_max=0)
    context = DraftContext(await order_drafts.of_users(tx, users))
    outcomes: commands.Outcomes = {}

    for new_id, item in zip(new_ids, claims.fresh, strict=True):
        outcomes[commands.key_of(item)] = change(context, item, new_id, batch.now), item

    await order_drafts.save(tx, list(context.saved.values()), {name: user.key for name, user in known.items()})
    await order_drafts.delete(tx, context.deleted)
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *answers, *claims.answers])


def change(context: DraftContext, item: Envelope[DraftChange], new_id: int, now: datetime) -> Event:
    """Apply one command to the context, and return its outcome. A draft that is new gets `new_id`."""
    body = item.body
    drafts = context.drafts[body.user_id]
    refusal = decide(body, drafts)
    if refusal is not None:
        return commands.rejected(item, refusal)
    if isinstance(body, OrderDraftDelete):
        del drafts[body.draft_id]
        context.saved.pop(body.draft_id, None)
        context.deleted.add(body.draft_id)
        return OrderDraftDeleted(draft_id=body.draft_id, user_id=body.user_id)
    draft = written(body, drafts.get(body.draft_id or 0), new_id, now)
    drafts[draft.id] = context.saved[draft.id] = draft
    return OrderDraftSaved(draft_id=draft.id, user_id=draft.user_id, revision=draft.revision)


def written(body: OrderDraftSave, before: Draft | None, new_id: int, now: datetime) -> Draft:
    """Return the draft as the command writes it, over the one before."""
    private = {name: getattr(before if name in body.keep else body, name) for name in ("address", "remark")}
    return Draft(
        id=before.id if before else new_id,
        user_id=body.user_id,
        revision=before.revision + 1 if before else 1,
        channel=body.channel,
        currency=body.currency,
        lines=body.items,
        saved_at=now,
        **private,
    )


ROUTE = Route(queue="order-drafts", handler=change_drafts)
