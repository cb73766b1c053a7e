"""The coupons in real baskets: what was given for them, and for which products they were.

Where the household redeemed a coupon of a campaign that day, and the product is on that coupon's list, it is that
coupon; any other came from the product's maker. A basket has one coupon here: the one that gave most.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

SCOPE_MAX = 200


@dataclass(frozen=True)
class Coupon:
    """A coupon as it was used. `scope` are the SKUs that it is for, at most SCOPE_MAX."""

    template_id: str
    name: str
    face_cents: int
    scope: tuple[str, ...]
    currency: str = "CNY"


class CouponDiscount(NamedTuple):
    """Cents given for a coupon on one product of a basket: the maker's and what the shop put on top."""

    basket: int
    household: int
    day: Any
    product: int
    cents: int


class CampaignCoupon(NamedTuple):
    """One coupon of a campaign; both numbers are the data set's."""

    number: int
    upc: int


@dataclass(frozen=True)
class Campaigns:
    """`redeemed` is by household and day; `covers` are the products on each coupon's list; `kinds` by number."""

    redeemed: Mapping[tuple[int, Any], Iterable[CampaignCoupon]]
    covers: Mapping[CampaignCoupon, Set[int]]
    kinds: Mapping[int, str]

    def of(self, given: CouponDiscount) -> CampaignCoupon | None:
        """The campaign's coupon that it was given for; of several the lowest."""
        redeemed = self.redeemed.get((given.household, given.day), ())
        return min((one for one in redeemed if given.product in self.covers.get(one, ())), default=None)


def used(rows: Iterable[CouponDiscount], campaigns: Campaigns) -> dict[int, Coupon]:
    """Basket -> the coupon that gave most in it; of equal ones the first."""
    sums: dict[int, dict[CampaignCoupon | int, int]] = {}
    seen: dict[CampaignCoupon, set[int]] = {}
    for given in rows:
        source = campaigns.of(given)
        if source is not None:
            seen.setdefault(source, set()).add(given.product)
        by_source = sums.setdefault(given.basket, {})
        key = given.product if source is None else source
        by_source[key] = by_source.get(key, 0) + given.cents
    scopes = {source: _scope(campaigns.covers[source], products) for source, products in seen.items()}
    best = {basket: max(by_source.items(), key=lambda item: item[1]) for basket, by_source in sums.items()}
    return {basket: _coupon(source, cents, scopes, campaigns.kinds) for basket, (source, cents) in best.items()}


def _scope(covered: Iterable[int], seen: Iterable[int]) -> tuple[str, ...]:
    """The products that it was used for come first: a long list is cut."""
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
