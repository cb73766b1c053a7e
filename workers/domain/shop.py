"""How this shop wants its orders treated; frozen into an order where it must keep the rules it was placed under."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shop:
    """Amounts are minor units, windows seconds."""

    default_warehouse: str = "main"
    shipping_fee_minor_units: int = 0
    payment_window_seconds: int = 1800
    saga_deadline_seconds: int = 600
    receipt_window_seconds: int = 15 * 86_400
    on_payment_failure: str = "keep_open"
    business_time_zone: str = "Asia/Shanghai"


CHANNELS = {"pc": "00", "mobile": "01", "api": "02", "third_party": "03"}
"""Where an order comes from (S0-04) -> the source digits of its number (S4-24)."""
BUSINESS_TYPES = frozenset({"normal", "seckill", "group_buy"})
