"""Everything a worker can be told, as OMS_* variables: where servers are, limits, how this shop treats its orders."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, Field, SecretStr, StringConstraints, field_validator

from messages.topology import tiers_seconds
from workers.domain.shop import POLICY_FIELDS, Policy, Shop
from workers.providers.configuration import KINDS, make
from workers.providers.port import Provider
from workers.runtime.settings import RuntimeSettings

Fees = dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], Annotated[int, Field(ge=0, le=10**9)]]
Rates = dict[Annotated[str, StringConstraints(min_length=1, max_length=64)], Annotated[int, Field(ge=0, le=10_000)]]
SHOP_FIELDS = (
    "default_warehouse",
    "shipping_fee_minor_units",
    "shipping_fees_by_country",
    "free_shipping_from_minor_units",
    "tax_rates_basis_points",
    "tax_inclusive",
    "points_unit",
    "points_unit_minor_units",
    "points_max_percent",
    "points_with_coupon",
    "saga_deadline_seconds",
    "receipt_window_seconds",
    "business_time_zone",
    "payment_grace_seconds",
)


class Settings(RuntimeSettings):
    """Read from OMS_* variables (and the names that source document S0 uses)."""

    default_warehouse: str = Field(
        default="main", min_length=1, max_length=64, description="Where lines that name no warehouse are reserved"
    )
    shipping_fee_minor_units: int = Field(
        default=0, ge=0, le=10**9, description="Flat fee per order, in minor units of the order's currency"
    )
    saga_deadline_seconds: int = Field(
        default=600, ge=1, le=86_400, description="How long an order may be in placing before it is rejected"
    )
    receipt_window_seconds: int = Field(  # C-14
        default=15 * 86_400, ge=1, le=365 * 86_400, description="Delivered orders complete after this; 15 days"
    )
    on_payment_failure: Literal["keep_open", "cancel"] = Field(  # C-03
        default="keep_open", description="What a failed payment attempt does to an unpaid order"
    )
    business_time_zone: str = Field(default="Asia/Shanghai", description="Whose midnight begins a new order number day")
    shipping_fees_by_country: Fees = Field(
        default={}, description='Fees that differ from the flat one, as JSON: {"DE": 599}; minor units'
    )
    free_shipping_from_minor_units: int = Field(
        default=0, ge=0, le=10**15, description="No fee from this amount of goods after promotions; 0: never free"
    )
    tax_rates_basis_points: Rates = Field(
        default={}, description='By tax class, as JSON: {"standard": 1900}; a SKU without a class is standard'
    )
    tax_inclusive: bool = Field(default=False, description="Prices contain the tax: none is added")
    points_unit: int = Field(default=100, ge=1, le=10**6, description="Points are used in whole units of so many")
    points_unit_minor_units: int = Field(default=100, ge=1, le=10**6, description="What one unit of points pays")
    points_max_percent: int = Field(
        default=50, ge=0, le=100, description="How much of an order points may pay, of what is left after the coupon"
    )
    points_with_coupon: bool = Field(default=True, description="Points and a coupon may pay for one order")
    split_by: Literal["product_type,seller", "product_type", "seller", "nothing"] = Field(
        default="product_type,seller",
        description="What makes an order several: its lines' product types, their sellers",
    )
    risk_check: Literal["off", "ask"] = Field(
        default="off", description="ask: an order waits for risk.result before stock is reserved for it"
    )
    deduct_on: Literal["create", "pay", "ship"] = Field(  # C-07
        default="pay", description="When reserved stock is deducted, where its business type says nothing else"
    )
    rate_limit_orders: int = Field(  # S1-49
        default=3, ge=0, le=10_000, description="Orders of one user that are accepted in the window; 0: any"
    )
    rate_limit_window_seconds: int = Field(default=300, ge=1, le=86_400, description="The window of the rate limit")
    payment_timeout_seconds: float = Field(  # S0-47
        default=10.0,
        gt=0,
        le=60,
        validation_alias=AliasChoices("OMS_PAYMENT_TIMEOUT_SECONDS", "PAYMENT_TIMEOUT"),
        description="How long a payment provider may take to answer; then it is asked again until it is known",
    )
    payment_grace_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="How far a provider's clock may be behind ours: so much later nobody pays what it never heard of",
    )
    alipay: SecretStr | None = Field(
        default=None, description="Alipay, as JSON or file:PATH of it; else not spoken with"
    )
    wechat: SecretStr | None = Field(default=None, description="WeChat Pay, the same way")
    unionpay: SecretStr | None = Field(default=None, description="UnionPay, the same way")
    paypal: SecretStr | None = Field(default=None, description="PayPal, the same way")

    @field_validator("business_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no IANA time zone, such as Asia/Shanghai or UTC") from None
        return value

    @property
    def providers(self) -> dict[str, Provider]:
        """The providers that we speak with ourselves. Raises ProviderConfigError."""
        given = {name: getattr(self, name) for name in KINDS}
        texts = {name: text.get_secret_value().strip() for name, text in given.items() if text is not None}
        return {name: make(name, text) for name, text in texts.items() if text}

    @property
    def shop(self) -> Shop:
        """The rules for orders."""
        given = {name: getattr(self, name) for name in SHOP_FIELDS}
        return Shop(
            **given,
            split_by=frozenset(self.split_by.split(",")) - {"nothing"},
            risk_check=self.risk_check == "ask",
            delay_tiers_seconds=frozenset(tiers_seconds(self.payment_window_seconds)),
            policy=Policy(**{name: getattr(self, name) for name in POLICY_FIELDS if name in type(self).model_fields}),
        )
