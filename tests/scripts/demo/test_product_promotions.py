"""Promotions and coupons read from real sales, and the plain sums of a checkout."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from messages.benefits import CouponIssue, PointsGrant
from scripts.demo.baskets import Product
from scripts.demo.catalogue_messages import coupon_issue, points_grant, promotion_upsert
from scripts.demo.checkout import PriceBreakdown, Rules, parts, points_collected, price_breakdown, usable_points
from scripts.demo.coupons import SCOPE_MAX, CampaignCoupon, Campaigns, Coupon, CouponDiscount, best_coupons
from scripts.demo.dataset import BasketLines, coupons_given
from scripts.demo.product_promotions import ProductPromotion, ProductPromotions, SaleLines, half_even, median_rows

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REDUCTIONS = [{"full": 200, "reduce": 100}, {"full": 400, "reduce": 200}]

# ---------------------------------------------------------------- promotions


def promotion_of(*sales: tuple[int, int, int], week: int = 1) -> ProductPromotion | None:
    """Return the promotion of one product that was sold as (units, shelf cents, cents off)."""
    return _promotions([(week, *sale) for sale in sales]).promotion(0)


def _promotions(rows: Iterable[tuple[int, int, int, int]]) -> ProductPromotions:
    week, units, shelf, off = (np.array(column, np.int32) for column in zip(*rows, strict=True))
    return ProductPromotions(SaleLines(np.zeros(len(units), np.int64), week, units, shelf, off), 1)


@pytest.mark.parametrize(
    ("sales", "found"),
    [
        ([(1, 100, 0), (2, 200, 0)], None),
        ([(1, 100, 20), (1, 100, 20), (3, 300, 60)], ProductPromotion("single", 80)),
        ([(1, 100, 20), (1, 100, 0), (1, 100, 0)], None),
        ([(1, 100, 100)], ProductPromotion("single", 1)),
        ([(1, 100, 0), (2, 200, 50), (2, 200, 50)], ProductPromotion("ladder", steps=((2, 7500),))),
        ([(1, 100, 0), (2, 200, 50), (2, 200, 0), (2, 200, 0)], None),
        ([(1, 100, 0), (1, 100, 0), (1, 100, 0), (2, 200, 50)], None),
        ([(1, 100, 0), (2, 200, 200), (2, 200, 200)], ProductPromotion("ladder", steps=((2, 100),))),
        ([(2, 200, 50), (2, 200, 50)], ProductPromotion("single", 75)),
        ([(1, 100, 0), (2, 200, 4), (2, 200, 4)], ProductPromotion("single", 98)),
    ],
    ids=[
        "no discount",
        "a discount on every unit",
        "a discount on few units",
        "the price is at least one cent",
        "only from two on",
        "not even often from two on",
        "one pair proves nothing",
        "two are never free",
        "no single unit was sold",
        "a discount below 5 % is not a promotion for two",
    ],
)
def test_the_promotion_of_a_product_is_read_from_its_sales(
    sales: list[tuple[int, int, int]], found: ProductPromotion | None
) -> None:
    assert promotion_of(*sales) == found


@pytest.mark.parametrize("singles", [[], [(1, 299, 0)]], ids=["no single unit was sold", "one costs its price"])
def test_a_pair_at_half_the_price_is_one_for_free(singles: list[tuple[int, int, int]]) -> None:
    found = promotion_of(*singles, (2, 598, 299), (2, 598, 299))
    assert found is not None
    assert found.kind == "full_reduction"
    assert [found.off_cents(299, units) for units in (1, 2, 3, 4, 5)] == [0, 299, 299, 598, 598]


def test_price_and_promotion_are_those_of_the_first_weeks() -> None:
    promotions = _promotions([(3, 1, 100, 10), (4, 1, 100, 10), (5, 1, 500, 0), (6, 9, 4500, 0)])
    assert promotions.price_cents.tolist() == [100]
    assert promotions.promotion(0) == ProductPromotion("single", 90)


@pytest.mark.parametrize(
    ("kind", "steps", "expected"),
    [
        ("ladder", ((2, 7500), (4, 5000)), [0, 50, 75, 200]),
        ("ladder", ((1, 9850),), [2, 3, 4, 6]),  # 1.5, 3, 4.5, 6
        ("full_reduction", ((200, 30), (300, 50)), [0, 30, 50, 50]),
    ],
)
def test_the_highest_step_that_is_reached_counts(
    kind: str, steps: tuple[tuple[int, int], ...], expected: list[int]
) -> None:
    assert [ProductPromotion(kind, steps=steps).off_cents(100, units) for units in (1, 2, 3, 4)] == expected


def test_a_half_is_rounded_to_the_even_number() -> None:
    assert [half_even(n, 2) for n in range(8)] == [0, 0, 1, 2, 2, 2, 3, 4]


def test_the_median_of_a_products_sales_is_weighted() -> None:
    places, prices = np.array([0, 0, 2, 2, 2]), np.array([5, 4, 9, 7, 8])
    order = np.lexsort((prices, places))
    assert median_rows(places, np.array([1, 1, 5, 1, 1]), order, 3).tolist() == [1, -1, 2]
    assert median_rows(places, np.array([3, 1, 1, 1, 1]), order, 3).tolist() == [0, -1, 4]


# ---------------------------------------------------------------- coupons

ITS = CampaignCoupon(26, 111)
CAMPAIGNS = Campaigns({(7, "monday"): [CampaignCoupon(30, 1), ITS]}, {ITS: {3, 4, 9}}, {26: "Type B"})


def test_a_coupon_for_a_campaigns_product_on_a_campaigns_day_belongs_to_the_campaign() -> None:
    found = best_coupons([CouponDiscount(1, 7, "monday", 4, 60), CouponDiscount(1, 7, "monday", 9, 40)], CAMPAIGNS)
    coupon = Coupon("campaign-26-111-100", "1.00 off, campaign 26 (Type B)", 100, ("4", "9", "3"))
    assert found == {1: coupon}


@pytest.mark.parametrize(
    "given",
    [
        CouponDiscount(1, 7, "tuesday", 4, 55),
        CouponDiscount(1, 8, "monday", 4, 55),
        CouponDiscount(1, 7, "monday", 5, 55),
    ],
)
def test_any_other_coupon_is_the_makers_for_that_product(given: CouponDiscount) -> None:
    product = str(given.product)
    assert best_coupons([given], CAMPAIGNS) == {
        1: Coupon(f"maker-{product}-55", "0.55 off, from the maker", 55, (product,))
    }


def test_a_basket_has_the_coupon_with_the_largest_discount() -> None:
    found = best_coupons(
        [CouponDiscount(1, 8, "x", 1, 50), CouponDiscount(1, 8, "x", 2, 75), CouponDiscount(1, 8, "x", 3, 75)],
        CAMPAIGNS,
    )
    assert [coupon.template_id for coupon in found.values()] == ["maker-2-75"]


def test_a_long_scope_is_cut_after_the_products_that_the_coupon_was_used_for() -> None:
    campaigns = Campaigns({(7, "monday"): [ITS]}, {ITS: set(range(1000))}, {})
    scope = best_coupons([CouponDiscount(1, 7, "monday", 999, 60)], campaigns)[1].scope
    assert scope[:2] == ("999", "0")
    assert len(scope) == SCOPE_MAX


def test_the_value_of_a_coupon_is_the_sum_of_the_makers_and_the_shops_discount() -> None:
    lines = BasketLines._make([np.array([5, 6])] * 8 + [np.array([0, 65])])
    assert coupons_given(lines) == [CouponDiscount(6, 6, 6, 6, 65)]


# ---------------------------------------------------------------- the checkout


def product(sku_id: str, price: int, promotion: ProductPromotion | None = None, **more: str) -> Product:
    return Product(sku_id, sku_id, "c", price, 1, promotion, **more)


TEA, MUG = product("tea", 500, ProductPromotion("single", 400)), product("mug", 1000)
OFF = Coupon("t", "t", 300, ("tea",))


@pytest.mark.parametrize(
    ("rules", "coupon", "points", "expected"),
    [
        (Rules(), None, 0, PriceBreakdown(2000, 200, 0, 0, 0, 499)),
        (Rules(), OFF, 0, PriceBreakdown(2000, 200, 300, 0, 0, 499)),
        (Rules(), Coupon("t", "t", 900, ("tea",)), 0, PriceBreakdown(2000, 200, 800, 0, 0, 499)),
        (Rules(), OFF, 799, PriceBreakdown(2000, 200, 300, 700, 700, 499)),
        (Rules(), None, 5_000, PriceBreakdown(2000, 200, 0, 900, 900, 499)),
        (Rules(free_shipping_from_cents=1_800), OFF, 0, PriceBreakdown(2000, 200, 300, 0, 0, 0)),
        (Rules(free_shipping_from_cents=1_801), None, 0, PriceBreakdown(2000, 200, 0, 0, 0, 499)),
    ],
)
def test_a_bill_is_price_less_promotion_less_coupon_less_points_and_shipping(
    rules: Rules, coupon: Coupon | None, points: int, expected: PriceBreakdown
) -> None:
    assert price_breakdown([(TEA, 2), (MUG, 1)], rules, coupon, points) == expected
    assert expected.payable == sum(expected[:1]) - sum(expected[1:4]) + expected.shipping


def test_points_are_used_in_whole_units_up_to_half_of_what_is_left() -> None:
    assert [usable_points(offered, 401, Rules()) for offered in (0, 99, 100, 299, 1_000)] == [0, 0, 100, 200, 200]
    assert usable_points(1_000, 199, Rules()) == 0


def test_lines_of_another_seller_or_product_type_are_another_order() -> None:
    rose = product("rose", 1, seller_id="florist")
    wine, bouquet_of_wine = product("w", 1, product_type="alcohol"), product("v", 1, None, seller_id="florist")
    assert parts([(TEA, 1), (MUG, 2)]) == 1
    assert parts([(TEA, 1), (rose, 1), (bouquet_of_wine, 1)]) == 2
    assert parts([(TEA, 1), (rose, 1), (wine, 1)]) == 3


@pytest.mark.parametrize(
    ("offered", "terms"),
    [
        (ProductPromotion("single", 80), {"name": "card price 0.80", "prices": {"tea": 80}}),
        (ProductPromotion("ladder", steps=((2, 7500),)), {"steps": [{"count": 2, "pay_basis_points": 7500}]}),
        (ProductPromotion("ladder", steps=((2, 7250),)), {"name": "27.5 % off from 2 on"}),
        (
            ProductPromotion("full_reduction", steps=((200, 100), (400, 200))),
            {"steps": REDUCTIONS, "name": "buy one, get one free"},
        ),
    ],
)
def test_a_promotion_is_sent_as_a_message_about_its_product(
    offered: ProductPromotion, terms: dict[str, object]
) -> None:
    message = promotion_upsert(product("tea", 100, offered), NOW, NOW + timedelta(days=1))
    assert message is not None
    place = {"promo_id": "deal-tea", "scope": "spu", "scope_id": "tea", "kind": offered.kind}
    assert isinstance(message.body, dict)
    assert message.body == message.body | terms | place
    assert promotion_upsert(product("tea", 100), NOW, NOW + timedelta(days=1)) is None


def test_coupons_and_points_are_sent_as_messages_of_the_contract() -> None:
    issued = CouponIssue.model_validate(coupon_issue("t", "c", "u").body)
    assert (issued.coupon_id, issued.template_id, issued.user_id) == ("c", "t", "u")
    granted = PointsGrant.model_validate(points_grant("u", 250).body)
    assert (granted.user_id, granted.points) == ("u", 250)


def test_some_households_collect_points() -> None:
    collected = [points_collected(str(household)) for household in range(1, 2_470)]
    assert 300 < sum(points > 0 for points in collected) < 520
    assert {points % 100 for points in collected if points} == {50}
    assert max(collected) <= 2_050
