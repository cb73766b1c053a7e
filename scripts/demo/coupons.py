"""The coupons of real baskets: what they took off, and from which products.

If the household redeemed a campaign's coupon that day and the product is on that coupon's list, the discount is of that
coupon; any other discount is of a coupon of the product's maker. A basket has one coupon here: the one that gave most.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

SCOPE_MAX = 200


@dataclass(frozen=True)
class Coupon:
    """A coupon as it was used. `scope` has the SKUs that it applies to, at most SCOPE_MAX."""

    template_id: str
    name: str
    face_cents: int
    scope: tuple[str, ...]
    currency: str = "CNY"


class CouponDiscount(NamedTuple):
    """The discount of a coupon on one product of a basket, in cents: the maker's part and the shop's addition to it."""

    basket: int
    household: int
    day: Any
    product: int
    cents: int


class CampaignCoupon(NamedTuple):
    """One coupon of a campaign; both numbers are those of the data set."""

    number: int
    upc: int


@dataclass(frozen=True)
class Campaigns:
    """`redeemed` is by household and day, `covers` has the products on each coupon's list, `kinds` is by number."""

    redeemed: Mapping[tuple[int, Any], Iterable[CampaignCoupon]]
    covers: Mapping[CampaignCoupon, Set[int]]
    kinds: Mapping[int, str]

    def of(self, discount: CouponDiscount) -> CampaignCoupon | None:
        """Return the campaign coupon that gave this discount, the lowest if several could."""
        redeemed = self.redeemed.get((discount.household, discount.day), ())
        return min((one for one in redeemed if discount.product in self.covers.get(one, ())), default=None)


def best_coupons(rows: Iterable[CouponDiscount], campaigns: Campaigns) -> dict[int, Coupon]:
    """Return basket -> the coupon that gave most in it, the first if several gave the same."""
    sums: dict[int, dict[CampaignCoupon | int, int]] = {}
    seen: dict[CampaignCoupon, set[int]] = {}
    for discount in rows:
        source = campaigns.of(discount)
        if source is not None:
            seen.setdefault(source, set()).add(discount.product)
        by_source = sums.setdefault(discount.basket, {})
        key = discount.product if source is None else source
        by_source[key] = by_source.get(key, 0) + discount.cents
    scopes = {source: _scope(campaigns.covers[source], products) for source, products in seen.items()}
    best = {basket: max(by_source.items(), key=lambda item: item[1]) for basket, by_source in sums.items()}
    return {basket: _coupon(source, cents, scopes, campaigns.kinds) for basket, (source, cents) in best.items()}


def _scope(covered: Iterable[int], seen: Iterable[int]) -> tuple[str, ...]:
    """Return the scope. The products that the coupon was used for come first, because a long list is cut."""
    first = sorted(seen)
    return tuple(map(str, [*first, *sorted(set(covered) - set(first))][:SCOPE_MAX]))


def _coupon(
    source: CampaignCoupon | int, cents: int, scopes: Mapping[CampaignCoupon, tuple[str, ...]], kinds: Mapping[int, str]
) -> Coupon:
    off = f"{cents // 100}.{cents % 100:02d} off"
    if isinstance(source, CampaignCoupon):
        name = f"{off}, campaign {source.number} ({kinds.get(source.number, 'no type')})"
        return Coupon(f"campaign-{source.number}-{source.upc}-{cents}", name, cents, scopes[source])
    return Coupon(f"maker-{source}-{cents}", f"{off}, from the maker", cents, (str(source),))
