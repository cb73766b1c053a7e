"""The settings of a worker: where its servers are, its limits, and how this shop treats its orders."""

import os
from dataclasses import fields
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from messages.catalogue import CUTOFF_PATTERN
from messages.topology import tiers_seconds
from workers.carriers.http import HttpCarrier
from workers.carriers.port import CarrierAdapter
from workers.domain.after_sale_policy import DEFAULT_RULES
from workers.domain.money import Rounding
from workers.domain.retention import Retention
from workers.domain.shop import POLICY_FIELDS, Policy, Shop
from workers.providers.configuration import KINDS, make
from workers.providers.port import Provider
from workers.setting_values import AddressField, CaseRules, Country, CountryFees, Fees, Rates, Thresholds, Values
from workers.watch_settings import WatchSettings

SHOP_FIELDS = (
    "archive_after_months",
    "default_warehouse",
    "shipping_fee_minor_units",
    "shipping_fees_by_country",
    "free_shipping_from_minor_units",
    "tax_rates_basis_points",
    "tax_rates_by_country_basis_points",
    "tax_inclusive",
    "address_required_fields",
    "tax_rounding",
    "discount_rounding",
    "points_unit",
    "points_unit_minor_units",
    "points_max_percent",
    "points_with_coupon",
    "stock_low_units",
    "saga_deadline_seconds",
    "captcha_window_seconds",
    "receipt_window_seconds",
    "cancel_later_max_seconds",
    "fulfilment_warehouses",
    "fulfilment_cancel_seconds",
    "carriers",
    "business_time_zone",
    "payment_grace_seconds",
    "adjustment_raise_max_percent",
    "dispute_reminder_seconds",
)


class Settings(WatchSettings):
    """Settings are read from OMS_* variables, and from the names that source document S0 uses."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_replaced(cls, values: Any) -> Any:
        if os.environ.get("OMS_TRUSTED_USERS"):
            raise ValueError(
                "OMS_TRUSTED_USERS is replaced by OMS_ROLES, which gives each broker user its roles: such as "
                "OMS_ROLES='checkout=storefront; payments=payments; stock-app=warehouse; anna=operator'"
            )
        return values

    default_warehouse: str = Field(
        default="main",
        min_length=1,
        max_length=64,
        description="The warehouse for order lines that name none, where no list of warehouses.set applies",
    )
    shipping_fee_minor_units: Fees = Field(
        default={},
        description='Flat fee per order in minor units, by currency, as JSON: {"CNY": 500, "JPY": 600}. Orders in '
        "other currencies are refused, unless there is no fee at all",
    )
    stock_low_units: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="`stock.low` is announced when so few units of a SKU can be sold in a warehouse without a "
        "threshold of its own (`stock.threshold.set`); 0: never. Workers of stock need it",
    )
    saga_deadline_seconds: int = Field(
        default=600, ge=1, le=86_400, description="An order that is still placing after this time is rejected"
    )
    receipt_window_seconds: int = Field(  # C-14
        default=15 * 86_400,
        ge=1,
        le=365 * 86_400,
        description="Delivered orders are completed after this time; 15 days",
    )
    query_cache_answers_max: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000,
        description="Answers about orders that a worker of queries keeps in memory, some 17 KB each; 0: none. An "
        "answer is used only while no row of its order has changed",
    )
    fulfilment_cancel_seconds: int = Field(
        default=3600,
        ge=1,
        le=30 * 86_400,
        description="While a warehouse has not answered a cancellation, an alert is raised each time this has passed",
    )
    on_payment_failure: Literal["keep_open", "cancel"] = Field(  # C-03
        default="keep_open", description="After a failed payment attempt an unpaid order stays open, or is cancelled"
    )
    on_late_payment: Literal["refund", "reinstate_if_stock"] = Field(
        default="refund",
        description="A late payment goes back, or the order that timed out gets its goods again. "
        "Merged payments, orders with units at a limited price and those whose stock is deducted at once are refunded",
    )
    on_shortage: Literal["ship_rest", "ask_then_ship", "ask_then_cancel"] = Field(
        default="ship_rest",
        description="If units of an order are short, its rest is shipped, or its buyer chooses: without an answer the "
        "rest is shipped or cancelled",
    )
    shortage_window_seconds: int = Field(86_400, ge=1, le=30 * 86_400, description="The time to answer to a shortage")
    ship_within_seconds: int = Field(
        default=2 * 86_400,
        ge=0,
        le=365 * 86_400,
        description="An order is promised to leave this long after its payment; an alert is raised for one that leaves "
        "later. Two days; 0: nothing is promised",
    )
    ship_cutoff: str = Field(
        default="",
        pattern=CUTOFF_PATTERN,
        description="An order that is paid at this time of the day or later, in OMS_BUSINESS_TIME_ZONE, counts as paid "
        "at the next midnight there: 16:00",
    )
    capture_on: Literal["payment", "hand_over"] = Field(
        "payment",
        description="hand_over: a payment is only authorised, and captured when the goods leave. Of a split order, the "
        "first child that leaves captures all: a later capture could fail, and an order keeps one capture",
    )
    complete_on: Literal["receipt", "delivered"] = Field(  # C-14
        "receipt", description="delivered: an order is completed once it is delivered, and waits for no receipt"
    )
    cancel_later_max_seconds: int = Field(  # C-29
        default=30 * 86_400,
        ge=60,
        le=365 * 86_400,
        description="A cancellation is scheduled (`order.cancel_later`) at most so far ahead; 30 days",
    )
    cancel_paid: Literal["until_handed_over", "never"] = Field(  # C-16
        "until_handed_over",
        description="Buyers may cancel a paid order until goods of it have left, or never; operators may always",
    )
    after_sale: CaseRules = Field(
        default={},
        description="Rules of after-sale cases, as JSON; what is left out is the default: "
        '{"window_seconds": 604800, "review_seconds": 172800, "on_unreviewed": "approve", "return_seconds": 604800, '
        '"approve_up_to_minor_units": {"CNY": 5000}, "full_refund_closes": true, "exchange_ships": "after_inspection"}',
    )
    business_time_zone: str = Field(
        default="Asia/Shanghai",
        description="The time zone of the shop's days: of order numbers, daily figures, statements and OMS_SHIP_CUTOFF",
    )
    shipping_fees_by_country: CountryFees = Field(
        default={},
        description="Fees that replace the flat fee, in minor units, by country and currency, as JSON: "
        '{"DE": {"EUR": 599}}',
    )
    free_shipping_from_minor_units: Thresholds = Field(
        default={},
        description="Shipping is free from this amount of goods after promotions, in minor units, by currency, as "
        'JSON: {"CNY": 4900}',
    )
    tax_rates_basis_points: Rates = Field(
        default={}, description='Tax rates by tax class, as JSON: {"standard": 1900}. A SKU without a class is standard'
    )
    tax_rates_by_country_basis_points: dict[Country, Rates] = Field(
        default={},
        description="Rates that replace all of these for goods that go to a country, as JSON: "
        '{"DE": {"standard": 1900, "food": 700}}',
    )
    tax_inclusive: bool = Field(default=False, description="true: prices include tax, so none is added")
    tax_rounding: Rounding = Field(
        default=Rounding.HALF_UP,
        description="How the tax of each line is rounded: half_up as tills and invoices do, half_even, down or up",
    )
    discount_rounding: Rounding = Field(
        default=Rounding.HALF_EVEN,
        description="How the discount of a ladder promotion is rounded, once for all its goods: half_even, half_up, "
        "down or up",
    )
    points_unit: int = Field(default=100, ge=1, le=10**6, description="Buyers use points in whole units of this many")
    points_unit_minor_units: Values = Field(
        default={"CNY": 100},
        description="The amount in minor units that one unit of points pays, by currency, as JSON. In other currencies "
        "points are refused",
    )
    points_max_percent: int = Field(
        default=50,
        ge=0,
        le=100,
        description="The share of an order that points may pay, of the amount left after the coupon",
    )
    points_with_coupon: bool = Field(default=True, description="true: an order may use both points and a coupon")
    split_by: Literal["product_type,seller", "product_type", "seller", "nothing"] = Field(
        default="product_type,seller",
        description="An order is split by the product types of its lines, by their sellers, by both, or not at all",
    )
    address_required_fields: dict[Country, frozenset[AddressField]] = Field(
        default={},
        description='Fields that addresses in a country must have, as JSON: {"US": ["province", "postcode"]}',
    )
    members_only: bool = Field(False, description="true: only users that member.upsert has named may order")  # S2-03
    risk_check: Literal["off", "ask"] = Field(
        "off", description="ask: stock is reserved for an order only after risk.result has arrived"
    )
    captcha_window_seconds: int = Field(  # S1-49
        300,
        ge=0,
        le=86_400,
        description="A buyer has this time to answer a captcha of the risk check; 0: none is wanted",
    )
    deduct_on: Literal["create", "pay", "ship"] = Field(  # C-07
        default="pay",
        description="Reserved stock is deducted at this step, unless the order's business type sets another",
    )
    rate_limit_orders: int = Field(  # S1-49
        default=3, ge=0, le=10_000, description="The most orders accepted from one user in the window; 0: no limit"
    )
    rate_limit_window_seconds: int = Field(300, ge=1, le=86_400, description="The length of the rate limit's window")
    payment_timeout_seconds: float = Field(  # S0-47
        default=10.0,
        gt=0,
        le=60,
        validation_alias=AliasChoices("OMS_PAYMENT_TIMEOUT_SECONDS", "PAYMENT_TIMEOUT"),
        description="A call to a payment provider times out after this; then we poll until the result is known",
    )
    fulfilment_service_url: str = Field(  # S0-47
        default="",
        pattern=r"^(https?://.+)?$",
        validation_alias=AliasChoices("OMS_FULFILMENT_SERVICE_URL", "FULFILLMENT_SERVICE_URL"),
        description="The base URL of the service that books parcels at the carriers of OMS_CARRIERS, which every "
        "worker of their calls needs; workers/carriers/http.py shows its protocol",
    )
    fulfilment_service_token: SecretStr = Field(
        default=SecretStr(""), description="The bearer token for that service; without one, calls carry none"
    )
    fulfilment_timeout_seconds: float = Field(  # S0-47
        default=5.0,
        gt=0,
        le=60,
        validation_alias=AliasChoices("OMS_FULFILMENT_TIMEOUT_SECONDS", "FULFILLMENT_TIMEOUT"),
        description="A call to a carrier times out after this, and is made again under the same number",
    )
    payment_grace_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="Assumed clock skew: an attempt unknown to the provider is closed this long after its window",
    )
    adjustment_raise_max_percent: int = Field(
        default=100, ge=0, le=10_000, description="Operators raise an unpaid order at most so far above its first price"
    )
    dispute_reminder_seconds: int = Field(
        default=48 * 3600,
        ge=0,
        le=30 * 86_400,
        description="An alert is raised so long before a dispute has to be answered, since a proof of delivery takes a "
        "day or two to get; 48 hours; 0: none",
    )
    stock_database_url: SecretStr | None = Field(
        default=None,
        description="Database of the stock queue, if it is another one; it needs the same schema and relays of its own",
    )
    alipay: SecretStr | None = Field(
        default=None,
        description="Settings of Alipay, as JSON or file:PATH; without them this worker makes no calls to it",
    )
    wechat: SecretStr | None = Field(default=None, description="Settings of WeChat Pay, in the same form")
    unionpay: SecretStr | None = Field(default=None, description="Settings of UnionPay, in the same form")
    paypal: SecretStr | None = Field(default=None, description="Settings of PayPal, in the same form")
    stripe: SecretStr | None = Field(default=None, description="Settings of Stripe, in the same form")

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
        """The providers that have settings here. Raises ProviderConfigError."""
        given = {name: getattr(self, name) for name in KINDS}
        texts = {name: text.get_secret_value().strip() for name, text in given.items() if text is not None}
        return {name: make(name, text) for name, text in texts.items() if text}

    @property
    def carrier_adapters(self) -> dict[str, CarrierAdapter]:
        """The carriers that this worker can call."""
        url, token = self.fulfilment_service_url, self.fulfilment_service_token.get_secret_value()
        return {name: HttpCarrier(name, url, token) for name in self.carriers} if url else {}

    @property
    def shop(self) -> Shop:
        """The shop's rules, made from these settings."""
        given = {name: getattr(self, name) for name in SHOP_FIELDS}
        flat = (POLICY_FIELDS - {"after_sale"}) & type(self).model_fields.keys()
        rules = {name: getattr(self, name) for name in flat}
        after_sale = DEFAULT_RULES.with_changes(self.after_sale)
        return Shop(
            **given,
            split_by=frozenset(self.split_by.split(",")) - {"nothing"},
            risk_check=self.risk_check == "ask",
            watch=self.watch,
            delay_tiers_seconds=frozenset(tiers_seconds(self.payment_window_seconds)),
            retention=Retention(**{one.name: getattr(self, f"{one.name}_retention_days") for one in fields(Retention)}),
            policy=Policy(**rules, after_sale=after_sale),
        )
