"""sku.*, settings.* and warehouses.*: the shop's products, the rules of business types, and where goods come from.

Every command carries a revision. One that is not above the stored revision is recorded and changes nothing.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from messages.base import (
    AMOUNT_MAX,
    QUANTITY_MAX,
    Amount,
    Command,
    Currency,
    Event,
    ExternalId,
    FreeText,
    Name,
    Part,
    ReasonCode,
    RequestId,
    ShortText,
)
from messages.roles import Role

REVISION_MAX = 2**62
Revision = Annotated[int, Field(ge=1, le=REVISION_MAX)]
POINTS_MAX = 1_000_000_000  # per unit and per grant: the sum of any number of orders fits into 64 bits
Gift = Annotated[int, Field(ge=0, le=1_000_000)]
"""Points or growth that a buyer gets for one unit when the order is completed."""
PurchasePrice = Annotated[int, Field(ge=0, le=10**12)]
"""What the shop pays for one unit, in minor units: a million of them still fit into 64 bits."""


class SkuUpsert(Command):
    """Set a SKU: name, price in minor units, whether it is on sale (S1-53).

    `points_limit` is the most points that can pay for one unit (R-05); without it there is no limit.
    `purchase_price` is what the shop pays for a unit, in the same currency, if it is known. Only operators see it.
    """

    TYPE: ClassVar[str] = "sku.upsert.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CATALOGUE})
    SCOPE: ClassVar[str] = "sku.upsert:{sku_id}"
    KEY: ClassVar[str] = "revision"
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
    purchase_price: PurchasePrice | None = None


class SkuChanged(Event):
    """The SKU has the values of this revision."""

    TYPE: ClassVar[str] = "sku.changed.v1"
    sku_id: str
    revision: int


class SkuUnchanged(Event):
    """The revision is not above the stored one. It is recorded and changes nothing."""

    TYPE: ClassVar[str] = "sku.unchanged.v1"
    sku_id: str
    revision: int
    current_revision: int


DAY_SECONDS = 86_400


class RevisionReset(Command):
    """Set the stored revision of one entry of the catalogue, so that a message with a revision above it counts again.

    The entry keeps its values. Messages with revisions above this one count again, also if they came before.
    """

    TYPE: ClassVar[str] = "revision.reset.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CATALOGUE, Role.OPERATOR})
    SCOPE: ClassVar[str] = "revision.reset"
    request_id: RequestId
    kind: Literal["sku", "promotion", "coupon_template", "member", "settings", "warehouses", "warehouse_hours"]
    id: ShortText
    revision: Annotated[int, Field(ge=0, le=REVISION_MAX)]
    reason: FreeText


class RevisionChanged(Event):
    """The stored revision of an entry was set. The reason is kept and not announced."""

    TYPE: ClassVar[str] = "revision.changed.v1"
    kind: str
    id: str
    revision: int
    previous_revision: int


class AfterSaleSettings(Part):
    """After-sale rules of one business type. What is not given follows the shop's own settings.

    `approve_up_to_minor_units`: a case is approved at once while the money of the order's cases is together at most
    this much, by currency. `exchange_ships`: at_approval sends the other goods of an exchange before these are back.
    """

    window_seconds: Annotated[int, Field(ge=0, le=3650 * DAY_SECONDS)] | None = None
    review_seconds: Annotated[int, Field(ge=1, le=365 * DAY_SECONDS)] | None = None
    on_unreviewed: Literal["approve", "reject", "wait"] | None = None
    return_seconds: Annotated[int, Field(ge=1, le=365 * DAY_SECONDS)] | None = None
    approve_up_to_minor_units: dict[Currency, Amount] | None = None
    reasons: Annotated[tuple[ReasonCode, ...], Field(min_length=1, max_length=100)] | None = None
    merchant_faults: Annotated[tuple[ReasonCode, ...], Field(max_length=100)] | None = None
    full_refund_closes: bool | None = None
    exchange_ships: Literal["after_inspection", "at_approval"] | None = None


GROUP_SIZE_MAX = 1000
CUTOFF_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$"
"""A time of the day in the shop's time zone, such as 16:00. Empty: there is none."""


class SettingsSet(Command):
    """Set the rules of new orders of one business type (S1-50, S4-21). Existing orders keep their rules.

    Fields that are not given follow the shop's own settings. A later revision replaces all of an earlier one.
    With a `group_size` orders are bought in groups of so many paid orders (`group_id` of order.create): a group that
    is not full `group_window_seconds` after its first order fails, a day if these are not given.
    """

    TYPE: ClassVar[str] = "settings.set.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CATALOGUE})
    SCOPE: ClassVar[str] = "settings.set:{business_type}"
    KEY: ClassVar[str] = "revision"
    business_type: ExternalId
    revision: Revision
    deduct_on: Literal["create", "pay", "ship"] | None = None
    payment_window_seconds: Annotated[int, Field(ge=1, le=30 * DAY_SECONDS)] | None = None
    on_payment_failure: Literal["keep_open", "cancel"] | None = None
    on_shortage: Literal["ship_rest", "ask_then_ship", "ask_then_cancel"] | None = None
    on_late_payment: Literal["refund", "reinstate_if_stock"] | None = None
    shortage_window_seconds: Annotated[int, Field(ge=1, le=30 * DAY_SECONDS)] | None = None
    capture_on: Literal["payment", "hand_over"] | None = None
    complete_on: Literal["receipt", "delivered"] | None = None
    cancel_paid: Literal["until_handed_over", "never"] | None = None
    ship_within_seconds: Annotated[int, Field(ge=0, le=365 * DAY_SECONDS)] | None = None
    ship_cutoff: Annotated[str, StringConstraints(pattern=CUTOFF_PATTERN)] | None = None
    units_max_per_line: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] | None = None
    rate_limit_orders: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    rate_limit_window_seconds: Annotated[int, Field(ge=1, le=DAY_SECONDS)] | None = None
    allow_coupon: bool | None = None
    allow_points: bool | None = None
    group_size: Annotated[int, Field(ge=2, le=GROUP_SIZE_MAX)] | None = None
    group_window_seconds: Annotated[int, Field(ge=1, le=30 * DAY_SECONDS)] | None = None
    after_sale: AfterSaleSettings | None = None

    def policy(self) -> dict[str, Any]:
        """The rules that the command gives."""
        return self.model_dump(exclude={"business_type", "revision"}, exclude_none=True)


class SettingsChanged(Event):
    """New orders of the business type follow this revision."""

    TYPE: ClassVar[str] = "settings.changed.v1"
    business_type: str
    revision: int


class SettingsUnchanged(Event):
    """The revision is not above the stored one. It is recorded and changes nothing."""

    TYPE: ClassVar[str] = "settings.unchanged.v1"
    business_type: str
    revision: int
    current_revision: int


WAREHOUSES_MAX = 16  # each is one more counter that a reservation locks


class WarehousesSet(Command):
    """Say from which warehouses an order line comes that names none, the best first (S3-44).

    The list is that of a SKU, of a region, of both, or, without any of the three, of the whole shop. For a line the
    one counts that says most: those of its SKU before those of all SKUs, then the province, the country, no region.
    A province is compared as the address has it. An empty list ends an earlier one. Orders that are placed before it
    keep their warehouses.
    """

    TYPE: ClassVar[str] = "warehouses.set.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CATALOGUE})
    SCOPE: ClassVar[str] = "warehouses.set:{country}/{province}/{sku_id}"
    KEY: ClassVar[str] = "revision"
    revision: Revision
    sku_id: Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    country: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")] = ""
    province: Annotated[str, StringConstraints(max_length=128, pattern=r"^[^/\x00-\x1f\x7f]*$")] = ""
    warehouses: Annotated[tuple[Name, ...], Field(max_length=WAREHOUSES_MAX)]

    @model_validator(mode="after")
    def _makes_sense(self) -> "WarehousesSet":
        if len(set(self.warehouses)) < len(self.warehouses):
            raise ValueError("a warehouse is named twice")
        return self

    @property
    def entry_id(self) -> str:
        """Its id as an entry of the catalogue, for revision.reset: country/province/SKU, each of which may be empty."""
        return f"{self.country}/{self.province}/{self.sku_id}"


class WarehousesChanged(Event):
    """New orders come from the warehouses of this revision."""

    TYPE: ClassVar[str] = "warehouses.changed.v1"
    sku_id: str
    country: str
    province: str
    revision: int


class WarehousesUnchanged(Event):
    """The revision is not above the stored one. It is recorded and changes nothing."""

    TYPE: ClassVar[str] = "warehouses.unchanged.v1"
    sku_id: str
    country: str
    province: str
    revision: int
    current_revision: int
