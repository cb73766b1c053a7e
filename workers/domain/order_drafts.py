"""The rules for drafts of orders: which may be saved, changed, deleted, and placed as an order."""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.domain.codes import Code
from workers.domain.refusal import Refusal

DRAFTS_MAX = 100
"""Drafts that a user may have."""
UNITS_MAX = 1_000_000


@dataclass(frozen=True)
class DraftState:
    """What decides about a draft. `order_id` is the order that is being placed from it."""

    id: int
    revision: int
    order_id: int | None


def unusable(draft_id: int, found: DraftState | None, revision: int | None) -> Refusal | None:
    """Return why a user's draft cannot be changed or placed, or None. `revision` is the one that the client read."""
    details = {"field": "draft_id", "draft_id": str(draft_id)}
    if found is None:
        return Refusal(Code.ORDER_DRAFT_NOT_FOUND, "the user has no such draft", details)
    if found.order_id is not None:
        message = "an order is being placed from it"
        return Refusal(Code.ORDER_DRAFT_IN_USE, message, details | {"order_id": str(found.order_id)})
    if revision is not None and revision != found.revision:
        message = f"it has revision {found.revision}, not {revision}"
        return Refusal(Code.ORDER_DRAFT_CHANGED, message, details | {"revision": found.revision})
    return None


def too_many(drafts: int) -> Refusal | None:
    """Return why a user who has so many drafts saves no new one, or None."""
    if drafts < DRAFTS_MAX:
        return None
    return Refusal(Code.ORDER_DRAFTS_TOO_MANY, f"a user has at most {DRAFTS_MAX} drafts", {"max": DRAFTS_MAX})


def wrong_units(units: Sequence[int]) -> Refusal | None:
    """Refuse a draft without lines, or a line without units. `units` are those of each line."""
    if not units:
        return Refusal(Code.ORDER_ITEMS_EMPTY, "a draft has at least one line", {"field": "items"})
    for number, qty in enumerate(units, start=1):
        if not 1 <= qty <= UNITS_MAX:
            details = {"field": f"items[{number - 1}].qty", "line": number, "max": UNITS_MAX}
            return Refusal(Code.ORDER_PARAM_INVALID, f"line {number}: from 1 to {UNITS_MAX} units", details)
    return None


def wrong_keep(keep: Sequence[str], given: Sequence[str], *, new: bool) -> Refusal | None:
    """Refuse to keep what the command also gives, or what a new draft cannot have."""
    both = sorted(set(keep) & set(given))
    if both:
        return Refusal(Code.ORDER_PARAM_INVALID, f"either a new {both[0]} or the one that it has", {"field": "keep"})
    if keep and new:
        return Refusal(Code.ORDER_PARAM_INVALID, "a new draft has nothing to keep", {"field": "keep"})
    return None
