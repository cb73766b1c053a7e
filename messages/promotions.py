"""promotion.*: prices that hold for a time (R-02)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import QUANTITY_MAX, Amount, AnyInt, Command, Currency, Event, ExternalId, Moment, Part, ShortText
from messages.catalogue import Revision
from messages.roles import Role

PRICES_MAX = 1000
STEPS_MAX = 50
Prices = Annotated[dict[ExternalId, Amount], Field(max_length=PRICES_MAX)]
"""SKU -> price of one unit, minor units."""


class LadderStep(Part):
    """From `count` units on, buyers pay this part of the price: 7500 basis points are 75 % (7.5 折)."""

    count: AnyInt
    pay_basis_points: AnyInt


class ReductionStep(Part):
    """From an amount of `full` on, buyers pay `reduce` less; both in minor units."""

    full: AnyInt
    reduce: AnyInt


class PromotionUpsert(Command):
    """Set a promotion. Kind `none` ends it.

    `prices` are for kinds single and flash, `member_prices` (by member level) for member, `steps` for ladder
    (LadderStep) and full_reduction (ReductionStep). It covers one SPU, one category (`scope_id`) or everything.
    `quantity` limits the units of all buyers, `per_user_limit` those of one. Existing orders keep their prices.
    """

    TYPE: ClassVar[str] = "promotion.upsert.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CATALOGUE})
    SCOPE: ClassVar[str] = "promotion.upsert:{promo_id}"
    KEY: ClassVar[str] = "revision"
    promo_id: ExternalId
    revision: Revision
    name: ShortText
    kind: Literal["none", "single", "member", "ladder", "full_reduction", "flash"]
    scope: Literal["spu", "category", "all"]
    scope_id: ExternalId | None = None
    currency: Currency
    prices: Prices = {}
    member_prices: Annotated[dict[ExternalId, Prices], Field(max_length=20)] = {}
    steps: Annotated[tuple[LadderStep | ReductionStep, ...], Field(max_length=STEPS_MAX)] = ()
    starts_at: Moment
    ends_at: Moment
    per_user_limit: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] | None = None
    quantity: Annotated[int, Field(ge=0, le=1000 * QUANTITY_MAX)] | None = None


class PromotionChanged(Event):
    """The promotion has the terms of this revision."""

    TYPE: ClassVar[str] = "promotion.changed.v1"
    promo_id: str
    revision: int


class PromotionUnchanged(Event):
    """The revision is not above the stored one. It is recorded and changes nothing."""

    TYPE: ClassVar[str] = "promotion.unchanged.v1"
    promo_id: str
    revision: int
    current_revision: int
