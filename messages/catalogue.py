"""What the shop's catalogue tells us. Every message carries a revision; a lower one is a recorded no-op."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import AMOUNT_MAX, Command, Currency, Event, ExternalId, ShortText


class SkuUpsert(Command):
    """One SKU as it is from now on: name, price in minor units, whether it is on sale (S1-53)."""

    TYPE: ClassVar[str] = "sku.upsert.v1"
    sku_id: ExternalId
    revision: Annotated[int, Field(ge=1, le=2**62)]
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
