"""What the shop's catalogue tells us: products, and the rules of business types.

Every message carries a revision; one that is not higher is a recorded no-op.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from messages.base import AMOUNT_MAX, QUANTITY_MAX, Command, Currency, Event, ExternalId, ShortText

Revision = Annotated[int, Field(ge=1, le=2**62)]
POINTS_MAX = 1_000_000_000  # per unit and per grant: sums of any number of orders stay far inside 64 bits
Gift = Annotated[int, Field(ge=0, le=1_000_000)]
"""Points or growth that a buyer gets for one unit, once its order is completed."""


class SkuUpsert(Command):
    """One SKU as it is from now on: name, price in minor units, whether it is on sale (S1-53).

    `points_limit` is how many points one unit can be paid with at most (R-05); without it, any number.
    """

    TYPE: ClassVar[str] = "sku.upsert.v1"
    sku_id: ExternalId
    revision: Revision
    spu_id: ExternalId
    name: ShortText
    specs: Annotated[dict[ExternalId, ShortText], Field(max_length=50)] = {}
    status: Literal["on_sale", "off_sale"]
    price: Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
    currency: Currency
    product_type: ExternalId = "normal"
    category_id: ExternalId | None = None
    seller_id: ExternalId | None = None
    image_url: ShortText | None = None
    unit: ExternalId | None = None
    tax_class: ExternalId | None = None
    gift_points: Gift = 0
    gift_growth: Gift = 0
    points_limit: Annotated[int, Field(ge=0, le=POINTS_MAX)] | None = None

    def command_scope(self) -> str:
        return f"sku.upsert:{self.sku_id}"

    def command_key(self) -> str:
        return str(self.revision)


class SkuChanged(Event):
    """The SKU is as this revision says."""

    TYPE: ClassVar[str] = "sku.changed.v1"
    sku_id: str
    revision: int


class SkuUnchanged(Event):
    """A revision at or below the one we have: recorded, nothing changed."""

    TYPE: ClassVar[str] = "sku.unchanged.v1"
    sku_id: str
    revision: int
    current_revision: int


DAY_SECONDS = 86_400


class SettingsSet(Command):
    """How orders of one business type are treated from now on (S1-50, S4-21); orders that exist keep their rules.

    Only what is given differs from the shop's own settings; a later revision replaces all of an earlier one.
    """

    TYPE: ClassVar[str] = "settings.set.v1"
    TRUSTED_ONLY: ClassVar[bool] = True
    business_type: ExternalId
    revision: Revision
    deduct_on: Literal["create", "pay", "ship"] | None = None
    payment_window_seconds: Annotated[int, Field(ge=1, le=30 * DAY_SECONDS)] | None = None
    on_payment_failure: Literal["keep_open", "cancel"] | None = None
    units_max_per_line: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] | None = None
    rate_limit_orders: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    rate_limit_window_seconds: Annotated[int, Field(ge=1, le=DAY_SECONDS)] | None = None
    allow_coupon: bool | None = None
    allow_points: bool | None = None

    def command_scope(self) -> str:
        return f"settings.set:{self.business_type}"

    def command_key(self) -> str:
        return str(self.revision)

    def policy(self) -> dict[str, Any]:
        """The rules that were given."""
        return self.model_dump(exclude={"business_type", "revision"}, exclude_none=True)


class SettingsChanged(Event):
    """New orders of the business type follow this revision."""

    TYPE: ClassVar[str] = "settings.changed.v1"
    business_type: str
    revision: int


class SettingsUnchanged(Event):
    """A revision at or below the one we have: recorded, nothing changed."""

    TYPE: ClassVar[str] = "settings.unchanged.v1"
    business_type: str
    revision: int
    current_revision: int
