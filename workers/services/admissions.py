"""Which changes of the catalogue are admitted: each function returns why one is rejected, or None."""

from dataclasses import dataclass

from messages.benefits import CouponTemplateUpsert
from messages.catalogue import SettingsSet, WarehousesSet
from messages.promotions import PromotionUpsert
from workers.domain import coupon_issuing
from workers.domain.codes import Code
from workers.domain.pricing.promotions import Promotion, invalid, overlapping
from workers.domain.refusal import Refusal
from workers.domain.shop import BUSINESS_TYPES
from workers.store import promotions


def settings(body: SettingsSet) -> Refusal | None:
    """Reject settings of a business type that does not exist."""
    if body.business_type in BUSINESS_TYPES:
        return None
    why = f"a business type is one of {', '.join(sorted(BUSINESS_TYPES))}"
    return Refusal(Code.ORDER_BUSINESS_TYPE_INVALID, why, {"field": "business_type"})


def warehouse_list(body: WarehousesSet) -> Refusal | None:
    """Reject a province without its country, because no address has that."""
    if body.country or not body.province:
        return None
    return Refusal(Code.ORDER_PARAM_INVALID, "a province has a country: name it too", {"field": "country"})


def template(body: CouponTemplateUpsert) -> Refusal | None:
    """Reject terms that no coupon can have."""
    return coupon_issuing.invalid(body.scope, body.scope_ids, body.valid_from, body.valid_to)


@dataclass
class Calendar:
    """The stored promotions that a batch's promotions may overlap with, and those of the batch that were admitted."""

    alive: dict[str, Promotion]

    def admit(self, body: PromotionUpsert) -> Refusal | None:
        """Reject a promotion that is invalid or overlaps another; otherwise add it, for those that follow it."""
        new = promotions.of(body)
        if new is None:
            return Refusal(Code.PROMOTION_INVALID, f"these are no steps of a {body.kind}", {"field": "steps"})
        refusal = invalid(new)
        if refusal is None and (other := overlapping(new, self.alive.values())) is not None:
            details = {"promo_id": new.promo_id, "overlaps": other.promo_id}
            refusal = Refusal(Code.PROMOTION_INVALID, f"it overlaps with {other.promo_id}", details)
        if refusal is None:
            self.alive[new.promo_id] = new
        return refusal
