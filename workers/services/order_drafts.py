"""Completes the commands that place drafts as orders, with what the drafts say."""

from collections.abc import Sequence
from dataclasses import replace

from db.pool import Transaction
from messages.envelope import Envelope
from messages.orders import CreateLine, OrderCreate
from workers.domain.order_drafts import unusable
from workers.domain.refusal import Refusal
from workers.store import order_drafts
from workers.store.order_drafts import Draft, Drafts


async def of_items(tx: Transaction, items: Sequence[Envelope[OrderCreate]]) -> Drafts:
    """Return the drafts of the users who place one. The users are locked."""
    return await order_drafts.of_users(tx, {item.body.user_id for item in items if item.body.draft_id is not None})


def draft_of(body: OrderCreate, drafts: Drafts) -> Draft | None:
    """Return the draft that the command places, if its user has it."""
    return None if body.draft_id is None else drafts[body.user_id].get(body.draft_id)


def unplaceable(body: OrderCreate, drafts: Drafts) -> Refusal | None:
    """Return why the draft that the command names cannot be placed, or None. No I/O."""
    if body.draft_id is None:
        return None
    found = draft_of(body, drafts)
    return unusable(body.draft_id, found.state if found else None, body.draft_revision)


def completed(item: Envelope[OrderCreate], drafts: Drafts) -> Envelope[OrderCreate]:
    """Return the command with the lines, the address and the remark of its draft where it names none."""
    body, draft = item.body, draft_of(item.body, drafts)
    if draft is None:
        return item
    lines = tuple(CreateLine(sku_id=one.sku_id, qty=one.qty, warehouse=one.warehouse) for one in draft.lines)
    filled = {
        "source": "draft",
        "items": body.items or lines,
        "address": body.address or draft.address,
        "remark": body.remark or draft.remark,
    }
    return replace(item, body=body.model_copy(update=filled))


def hold(drafts: Drafts, body: OrderCreate, order_id: int) -> None:
    """Note that the order is placed from the draft, so that no other order of the batch is."""
    if body.draft_id is not None:
        mine = drafts[body.user_id]
        mine[body.draft_id] = replace(mine[body.draft_id], order_id=order_id)
