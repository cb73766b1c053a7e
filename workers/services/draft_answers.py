"""Answers the queries about drafts of orders. All of them take one statement."""

from collections.abc import Sequence
from datetime import timedelta

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.order_drafts import (
    DraftAddress,
    DraftQuery,
    DraftShown,
    OrderDraftGet,
    OrderDraftShown,
    OrderDraftsListed,
)
from messages.orders import Address
from workers import shop
from workers.domain.masking import masked
from workers.domain.order_drafts import unusable
from workers.store import order_drafts
from workers.store.order_drafts import Draft


async def answer_drafts(tx: Transaction, items: Sequence[Envelope[DraftQuery]]) -> list[Reply]:
    """Answer each order.draft.get and order.draft.list, in order. Addresses are masked."""
    found = await order_drafts.of_users(tx, [item.body.user_id for item in items], even_sealed=True)
    return [_answer(item.body, found[item.body.user_id]) for item in items]


def _answer(body: DraftQuery, drafts: dict[int, Draft]) -> Reply:
    if not isinstance(body, OrderDraftGet):
        return OrderDraftsListed(user_id=body.user_id, drafts=tuple(map(_shown, drafts.values())))
    if draft := drafts.get(body.draft_id):
        return OrderDraftShown(user_id=body.user_id, draft=_shown(draft))
    refusal = unusable(body.draft_id, None, None)
    assert refusal is not None
    return QueryRejected(code=refusal.code, message=refusal.message, path="$.draft_id")


def _shown(draft: Draft) -> DraftShown:
    return DraftShown(
        draft_id=draft.id,
        revision=draft.revision,
        channel=draft.channel,
        currency=draft.currency,
        items=draft.lines,
        address=_masked(draft.address) if draft.address else None,
        has_remark=draft.remark is not None,
        order_id=draft.order_id,
        saved_at=draft.saved_at,
        delete_at=draft.saved_at + timedelta(days=shop.current().retention.order_drafts),
    )


def _masked(address: Address) -> DraftAddress:
    shown = masked(address.model_dump())
    return DraftAddress(**{name: shown[name] for name in DraftAddress.model_fields})
