"""Promotions: checks their terms, and picks the one that applies to a line (R-02)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workers.domain.codes import Code
from workers.domain.money import WHOLE
from workers.domain.refusal import Refusal


class PromotionKind(StrEnum):
    """The ways in which promotions take something off. A revision with NONE ends its promotion."""

    NONE = "none"
    SINGLE = "single"
    FLASH = "flash"
    MEMBER = "member"
    LADDER = "ladder"
    FULL_REDUCTION = "full_reduction"


class PromotionScope(StrEnum):
    """The goods of a promotion: one SPU, one category, or all."""

    SPU = "spu"
    CATEGORY = "category"
    ALL = "all"


TERMS = {
    PromotionKind.NONE: None,
    PromotionKind.SINGLE: "prices",
    PromotionKind.FLASH: "prices",
    PromotionKind.MEMBER: "member_prices",
    PromotionKind.LADDER: "steps",
    PromotionKind.FULL_REDUCTION: "steps",
}
"""Kind -> the field with the terms that it needs."""


@dataclass(frozen=True)
class Promotion:
    """One revision of a promotion. It is valid from `starts_at` until before `ends_at`.

    The steps of a ladder are (units, basis points still paid), those of a full reduction (full, reduce); both ascend.
    Prices, full and reduce are minor units of `currency`. `prices` is by SKU, `member_prices` by level and SKU.
    `quantity` is the units that a flash sale has in all.
    """

    promo_id: str
    revision: int
    name: str
    kind: PromotionKind
    scope: PromotionScope
    scope_id: str | None
    currency: str
    starts_at: datetime
    ends_at: datetime
    prices: Mapping[str, int] = field(default_factory=dict)
    member_prices: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    steps: tuple[tuple[int, int], ...] = ()
    per_user_limit: int | None = None
    quantity: int | None = None

    @property
    def counted(self) -> bool:
        """True if we count the units sold under it, because they are limited in all or per user."""
        return self.kind == PromotionKind.FLASH or self.per_user_limit is not None or self.quantity is not None


def invalid(promotion: Promotion) -> Refusal | None:
    """Refuse terms that make no sense: PROMOTION_INVALID with the first wrong field."""
    fault = next(_faults(promotion), None)
    if fault is None:
        return None
    return Refusal(Code.PROMOTION_INVALID, fault[1], {"field": fault[0], "promo_id": promotion.promo_id})


def _faults(promotion: Promotion) -> Iterator[tuple[str, str]]:
    if promotion.kind not in TERMS:
        yield "kind", f"it is one of {', '.join(TERMS)}"
        return
    if promotion.scope not in list(PromotionScope):
        yield "scope", f"it is one of {', '.join(PromotionScope)}"
    needs_id = promotion.scope != PromotionScope.ALL
    if needs_id != (promotion.scope_id is not None):
        yield "scope_id", "an SPU or a category has an id, all has none"
    if promotion.starts_at >= promotion.ends_at:
        yield "ends_at", "it ends before it starts"
    if promotion.per_user_limit is not None and promotion.per_user_limit < 1:
        yield "per_user_limit", "a limit is at least one unit"
    if promotion.quantity is not None and (promotion.kind != PromotionKind.FLASH or promotion.quantity < 0):
        yield "quantity", "only a flash sale has a number of units, and not less than none"
    if promotion.kind != PromotionKind.NONE:
        yield from _faults_of_terms(promotion)


def _faults_of_terms(promotion: Promotion) -> Iterator[tuple[str, str]]:
    needed, levels = TERMS[promotion.kind], promotion.member_prices.values()
    given = {"prices": promotion.prices, "member_prices": promotion.member_prices, "steps": promotion.steps}
    for name, terms in given.items():
        if bool(terms) != (name == needed):
            yield name, f"a promotion of kind {promotion.kind} needs {needed} and nothing else"
    if min(promotion.prices.values(), default=0) < 0:
        yield "prices", "a price is not below zero"
    if any(not prices or min(prices.values()) < 0 for prices in levels):
        yield "member_prices", "each level has prices, and none is below zero"
    thresholds = [threshold for threshold, _ in promotion.steps]
    if thresholds != sorted(set(thresholds)) or min(thresholds, default=1) < 1:
        yield "steps", "steps begin at 1 or more and ascend"
    if promotion.kind == PromotionKind.LADDER and any(not 0 <= paid <= WHOLE for _, paid in promotion.steps):
        yield "steps", f"what is still paid is 0 to {WHOLE} basis points"
    if promotion.kind == PromotionKind.FULL_REDUCTION and any(
        not 1 <= reduce <= full for full, reduce in promotion.steps
    ):
        yield "steps", "a reduction is at least 1 and at most the amount that it starts from"


def overlapping(new: Promotion, others: Iterable[Promotion]) -> Promotion | None:
    """Find another promotion for the same goods and currency that is valid at the same time as `new`."""
    if new.kind == PromotionKind.NONE:
        return None
    place = (new.scope, new.scope_id, new.currency)
    for other in others:
        if other.promo_id == new.promo_id or other.kind == PromotionKind.NONE:
            continue
        same_goods = (other.scope, other.scope_id, other.currency) == place
        if same_goods and other.starts_at < new.ends_at and new.starts_at < other.ends_at:
            return other
    return None


Index = Mapping[tuple[PromotionScope, str | None], Sequence[Promotion]]


def index(promotions: Iterable[Promotion]) -> Index:
    """(scope, its id) -> promotions in the order in which they win: by the highest revision, then by promo_id."""
    found: dict[tuple[PromotionScope, str | None], list[Promotion]] = {}
    for promotion in sorted(promotions, key=lambda p: (-p.revision, p.promo_id)):
        if promotion.kind != PromotionKind.NONE:
            found.setdefault((promotion.scope, promotion.scope_id), []).append(promotion)
    return found


def pick(rules: Index, spu_id: str, category_id: str | None, currency: str, at: datetime) -> Promotion | None:
    """Pick the one promotion that applies to a line: the narrowest scope wins, even if it takes nothing off."""
    for place in (
        (PromotionScope.SPU, spu_id),
        (PromotionScope.CATEGORY, category_id),
        (PromotionScope.ALL, None),
    ):
        for promotion in rules.get(place, ()):
            if promotion.currency == currency and promotion.starts_at <= at < promotion.ends_at:
                return promotion
    return None
