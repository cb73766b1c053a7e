"""The settings of this shop. An order keeps a copy of those rules that must stay as they were when it was placed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from workers.domain.after_sale_policy import DEFAULT_RULES, AfterSaleRules
from workers.domain.money import Rounding
from workers.domain.retention import Retention
from workers.domain.standing_alerts import Watch


class DeductOn(StrEnum):
    """The step that deducts reserved stock (C-07)."""

    CREATE = "create"
    PAY = "pay"
    SHIP = "ship"


class OnPaymentFailure(StrEnum):
    """The policy for an order after a failed payment (C-03): it stays open, or it is cancelled."""

    KEEP_OPEN = "keep_open"
    CANCEL = "cancel"


class CaptureOn(StrEnum):
    """The step that takes a buyer's money: the payment, or the hand-over of goods whose payment was authorised."""

    PAYMENT = "payment"
    HAND_OVER = "hand_over"


class OnShortage(StrEnum):
    """What becomes of an order of which units are short.

    The rest is shipped at once; or the buyer chooses, and without an answer the rest is shipped or cancelled.
    """

    SHIP_REST = "ship_rest"
    ASK_THEN_SHIP = "ask_then_ship"
    ASK_THEN_CANCEL = "ask_then_cancel"


class OnLatePayment(StrEnum):
    """What becomes of a payment for an order that its payment timeout cancelled (R-19).

    It goes back; or the order gets its goods again if they can be had, keeps the payment, and is paid.
    """

    REFUND = "refund"
    REINSTATE_IF_STOCK = "reinstate_if_stock"


class CompleteOn(StrEnum):
    """The step that completes a delivered order (C-14): the buyer's receipt or the end of its window, or delivery."""

    RECEIPT = "receipt"
    DELIVERED = "delivered"


class CancelPaid(StrEnum):
    """How long buyers may cancel a paid order (C-16): until goods have left, or never. Operators always may."""

    UNTIL_HANDED_OVER = "until_handed_over"
    NEVER = "never"


@dataclass(frozen=True)
class Policy:
    """The rules of one business type. An order keeps the rules under which it was placed (S1-50).

    0 in `rate_limit_orders` means no limit, 0 in `ship_within_seconds` no promise. `ship_cutoff` is a time of the day
    in the shop's time zone, or empty. Orders are bought in groups of `group_size` paid orders; 0: each by itself.
    """

    deduct_on: DeductOn = DeductOn.PAY
    payment_window_seconds: int = 1800
    on_payment_failure: OnPaymentFailure = OnPaymentFailure.KEEP_OPEN
    on_shortage: OnShortage = OnShortage.SHIP_REST
    shortage_window_seconds: int = 86_400
    capture_on: CaptureOn = CaptureOn.PAYMENT
    on_late_payment: OnLatePayment = OnLatePayment.REFUND
    complete_on: CompleteOn = CompleteOn.RECEIPT
    cancel_paid: CancelPaid = CancelPaid.UNTIL_HANDED_OVER
    ship_within_seconds: int = 2 * 86_400
    ship_cutoff: str = ""
    units_max_per_line: int = 1_000_000
    rate_limit_orders: int = 3
    rate_limit_window_seconds: int = 300
    allow_coupon: bool = True
    allow_points: bool = True
    group_size: int = 0
    group_window_seconds: int = 86_400
    after_sale: AfterSaleRules = DEFAULT_RULES


POLICY_FIELDS = frozenset(field.name for field in fields(Policy))
DEFAULT_POLICIES: Mapping[str, Mapping[str, Any]] = {
    "normal": {},
    "seckill": {"deduct_on": DeductOn.CREATE},
    "group_buy": {},
}
"""Business type (S1-50) -> its differences from the shop's rules. A flash sale deducts its stock at once (S1-51)."""


@dataclass(frozen=True)
class Shop:
    """The shop's settings. Business types start from `policy` and change some of its fields.

    Amounts are minor units, each by the currency that it is in; windows are seconds, rates are basis points. If a
    provider does not know an attempt, no payment for it can come later than `payment_grace_seconds` after its window.

    Shipping costs the fee of the country, else the flat one. If that fee is in other currencies only, orders in this
    one are refused; without any fee shipping is free, and so it is from `free_shipping_from_minor_units` on.

    Tax is that of the country that the goods go to, by tax class; a country without rates of its own has the others.

    `tax_rounding` is for the tax of each line, `discount_rounding` for what a ladder promotion takes off a group.
    Points and refunds have no such setting: points pay whole units, and refunds are cumulative.

    Points (R-05): a buyer uses whole `points_unit`s, each worth `points_unit_minor_units`, up to `points_max_percent`
    of the amount that is left after the coupon. In a currency without a value they are refused.

    An operator raises what an order costs by at most `adjustment_raise_max_percent` of what it cost when created.

    People are reminded `dispute_reminder_seconds` before a dispute has to be answered; 0: they are not.

    `stock_low_units` is the threshold of stock.low where a place has none of its own; 0: none.

    A buyer has `captcha_window_seconds` for a captcha of the risk check; 0: the order is rejected instead.

    A cancellation is scheduled at most `cancel_later_max_seconds` ahead.

    `fulfilment_warehouses` get requests in queues of their own: warehouse -> the broker users that may report for it,
    or none for every user with the role warehouse. One that does not answer a cancellation for
    `fulfilment_cancel_seconds` raises an alert.

    `carriers` are those at which we book parcels: carrier -> push or poll, by which we learn what happens to them.
    """

    default_warehouse: str = "main"
    shipping_fee_minor_units: Mapping[str, int] = field(default_factory=dict)
    shipping_fees_by_country: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    free_shipping_from_minor_units: Mapping[str, int] = field(default_factory=dict)
    tax_rates_basis_points: Mapping[str, int] = field(default_factory=dict)
    tax_rates_by_country_basis_points: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    tax_inclusive: bool = False
    tax_rounding: Rounding = Rounding.HALF_UP
    discount_rounding: Rounding = Rounding.HALF_EVEN
    points_unit: int = 100
    points_unit_minor_units: Mapping[str, int] = field(default_factory=lambda: {"CNY": 100})
    points_max_percent: int = 50
    points_with_coupon: bool = True
    split_by: frozenset[str] = frozenset({"product_type", "seller"})
    members_only: bool = False
    address_required_fields: Mapping[str, Collection[str]] = field(default_factory=dict)
    risk_check: bool = False
    stock_low_units: int = 0
    saga_deadline_seconds: int = 600
    captcha_window_seconds: int = 300
    receipt_window_seconds: int = 15 * 86_400
    cancel_later_max_seconds: int = 30 * 86_400
    payment_grace_seconds: int = 60
    adjustment_raise_max_percent: int = 100
    dispute_reminder_seconds: int = 48 * 3600
    business_time_zone: str = "Asia/Shanghai"
    fulfilment_warehouses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fulfilment_cancel_seconds: int = 3600
    carriers: Mapping[str, str] = field(default_factory=dict)
    delay_tiers_seconds: frozenset[int] = frozenset({1, 5, 30, 120, 600, 1800})
    policy: Policy = Policy()
    retention: Retention = field(default_factory=Retention)
    archive_after_months: int = 0
    """Orders that were placed in a month so long ago are archived once nothing is left to happen; 0: never."""
    watch: Watch = field(default_factory=Watch)

    def tax_basis_points(self, tax_class: str | None, country: str | None) -> int:
        """The rate of the tax that is added to goods of this class that go to this country."""
        rates = self.tax_rates_by_country_basis_points.get(country or "", self.tax_rates_basis_points)
        return 0 if self.tax_inclusive else rates.get(tax_class or "standard", 0)

    def policy_of(self, business_type: str, stored: Mapping[str, Any]) -> Policy:
        """The rules of a business type: the shop's, then the type's, then those `stored` for it as strings."""
        changed = {**DEFAULT_POLICIES[business_type], **stored}
        changed["after_sale"] = self.policy.after_sale.with_changes(changed.get("after_sale", {}))
        policy = replace(self.policy, **changed)
        return replace(
            policy,
            deduct_on=DeductOn(policy.deduct_on),
            on_payment_failure=OnPaymentFailure(policy.on_payment_failure),
            on_shortage=OnShortage(policy.on_shortage),
            capture_on=CaptureOn(policy.capture_on),
            on_late_payment=OnLatePayment(policy.on_late_payment),
            complete_on=CompleteOn(policy.complete_on),
            cancel_paid=CancelPaid(policy.cancel_paid),
        )


CHANNELS = {"pc": "00", "mobile": "01", "api": "02", "third_party": "03"}
"""Sales channel (S0-04) -> the source digits of an order number (S4-24)."""
BUSINESS_TYPES = frozenset(DEFAULT_POLICIES)
PAY_TYPES = {"alipay": "01", "wechat": "02"}
"""Payment method -> its digits in an order number, 00 while it is not known (S4-23, C-38)."""
