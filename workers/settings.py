"""Everything a worker can be told, as OMS_* variables: where servers are, limits, how this shop treats its orders."""

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from workers.domain.shop import Shop
from workers.runtime.settings import RuntimeSettings


class Settings(RuntimeSettings):
    """Read from OMS_* variables (and the names document 000 uses)."""

    default_warehouse: str = Field(
        default="main", min_length=1, max_length=64, description="Where lines that name no warehouse are reserved"
    )
    shipping_fee_minor_units: int = Field(
        default=0, ge=0, le=10**9, description="Flat fee per order, in minor units of the order's currency"
    )
    saga_deadline_seconds: int = Field(
        default=600, ge=1, le=86_400, description="How long an order may be in placing before it is rejected"
    )
    receipt_window_seconds: int = Field(
        default=15 * 86_400, ge=1, le=365 * 86_400, description="Delivered orders complete after this; 15 days (C-14)"
    )
    on_payment_failure: Literal["keep_open", "cancel"] = Field(
        default="keep_open", description="What a failed payment attempt does to an unpaid order (C-03)"
    )
    business_time_zone: str = Field(default="Asia/Shanghai", description="Whose midnight begins a new order number day")

    @field_validator("business_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no IANA time zone, such as Asia/Shanghai or UTC") from None
        return value

    @property
    def shop(self) -> Shop:
        """The rules for orders."""
        return Shop(
            default_warehouse=self.default_warehouse,
            shipping_fee_minor_units=self.shipping_fee_minor_units,
            payment_window_seconds=self.payment_window_seconds,
            saga_deadline_seconds=self.saga_deadline_seconds,
            receipt_window_seconds=self.receipt_window_seconds,
            on_payment_failure=self.on_payment_failure,
            business_time_zone=self.business_time_zone,
        )
