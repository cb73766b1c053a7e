"""The after-sale rules of a shop, and the reasons that buyers give (S0-17, S3's reason codes)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class OnUnreviewed(StrEnum):
    """What becomes of a case that nobody reviews in time."""

    APPROVE = "approve"
    REJECT = "reject"
    WAIT = "wait"


class ExchangeShips(StrEnum):
    """When the other goods of an exchange go out: once those that come back are inspected, or at its approval."""

    AFTER_INSPECTION = "after_inspection"
    AT_APPROVAL = "at_approval"


REASONS: Mapping[str, int] = {
    "wrong_quantity": 10,
    "quality": 20,
    "packaging": 30,
    "logistics": 40,
    "courier": 50,
    "changed_mind": 60,
    "price": 70,
    "order_cancelled": 80,
    "platform": 90,
    "delivery_refused": 100,
    "other": 200,
}
"""Why a buyer applies -> the number of the reason in S3."""
MERCHANT_FAULTS = frozenset({"wrong_quantity", "quality", "packaging", "logistics", "courier"})
"""The reasons for which the merchant answers by default: shipping goes back with the units."""


@dataclass(frozen=True)
class AfterSaleRules:
    """The after-sale rules of one business type; an order keeps those under which it was placed.

    A case can be opened until `window_seconds` after the order was completed. A case is approved at once while its
    money and that of the order's earlier cases is together at most `approve_up_to_minor_units`, by the order's
    currency. `review_seconds` is the time for a review, for the inspection of goods that are back, for a decision
    after an inspection or a refund failed, and for a warehouse to send refused goods back to the buyer;
    `return_seconds` that for the buyer's sending goods back, and for their way. `full_refund_closes`: an order of
    which everything came back is cancelled, and its coupon given back. `exchange_ships`: at_approval trusts the buyer,
    who has the other goods before the shop has these back, and owes their money if they never come.
    """

    window_seconds: int = 7 * 86_400
    review_seconds: int = 2 * 86_400
    on_unreviewed: OnUnreviewed = OnUnreviewed.APPROVE
    return_seconds: int = 7 * 86_400
    approve_up_to_minor_units: Mapping[str, int] = field(default_factory=dict)
    reasons: frozenset[str] = frozenset(REASONS)
    merchant_faults: frozenset[str] = MERCHANT_FAULTS
    full_refund_closes: bool = True
    exchange_ships: ExchangeShips = ExchangeShips.AFTER_INSPECTION

    def with_changes(self, written: Mapping[str, Any]) -> "AfterSaleRules":
        """These rules with those that JSON names: an order's own, or those of a business type."""
        changes = dict(written)
        if "on_unreviewed" in changes:
            changes["on_unreviewed"] = OnUnreviewed(changes["on_unreviewed"])
        if "exchange_ships" in changes:
            changes["exchange_ships"] = ExchangeShips(changes["exchange_ships"])
        for name in ("reasons", "merchant_faults"):
            if name in changes:
                changes[name] = frozenset(changes[name])
        return replace(self, **changes)

    def written(self) -> dict[str, Any]:
        """What an order's policy keeps of these rules: those that differ from the defaults, ready for JSON.

        The defaults may therefore never change: orders were written with them.
        """
        kept = {name: rule for name, rule in vars(self).items() if rule != getattr(DEFAULT_RULES, name)}
        return {name: sorted(rule) if isinstance(rule, frozenset) else rule for name, rule in kept.items()}


DEFAULT_RULES = AfterSaleRules()
