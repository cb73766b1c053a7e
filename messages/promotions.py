"""promotion.*: prices for a time (R-02)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import QUANTITY_MAX, Amount, AnyInt, Command, Currency, Event, ExternalId, Moment, Part, ShortText
from messages.catalogue import Revision

PRICES_MAX = 1000
STEPS_MAX = 50
Prices = Annotated[dict[ExternalId, Amount], Field(max_length=PRICES_MAX)]
"""SKU -> price of one unit, minor units."""


class LadderStep(Part):
    """From `count` units on, this much of the price is still paid: 7500 basis points are 75 % (7.5 折)."""

    count: AnyInt
    pay_basis_points: AnyInt


class ReductionStep(Part):
    """From `full` on, `reduce` less is paid; minor units."""

    full: AnyInt
    reduce: AnyInt


class PromotionUpsert(Command):
    """One promotion as it is from now on; kind `none` ends it.

    `prices` are for kinds single and flash, `member_prices` (by member level) for member, `steps` for ladder
    (LadderStep) and full_reduction (ReductionStep). It is for one SPU, one category (`scope_id`) or all. `quantity` is
    how many units there are in all, `per_user_limit` how many one user may buy. Orders that exist keep their prices.
    """

    TYPE: ClassVar[str] = "promotion.upsert.v1"
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

    def command_scope(self) -> str:
        return f"promotion.upsert:{self.promo_id}"

    def command_key(self) -> str:
        return str(self.revision)


class PromotionChanged(Event):
    """The promotion is as this revision says."""

    TYPE: ClassVar[str] = "promotion.changed.v1"
    promo_id: str
    revision: int


class PromotionUnchanged(Event):
    """A revision at or below the one we have: recorded, nothing changed."""

    TYPE: ClassVar[str] = "promotion.unchanged.v1"
    promo_id: str
    revision: int
    current_revision: int
