"""The demo's checkout and the order system compute the same price, to the cent, for real baskets."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from messages.benefits import CouponTemplateUpsert
from messages.promotions import PromotionUpsert
from scripts.demo.baskets import Basket, Product, Year
from scripts.demo.catalogue_messages import coupon_template_upsert, promotion_upsert
from scripts.demo.checkout import PriceBreakdown, Rules, parts, points_collected, price_breakdown
from scripts.demo.coupons import Coupon
from scripts.demo.dataset import UNITS_MAX
from workers.domain.pricing import coupons, quote
from workers.domain.pricing.promotions import Promotion, invalid
from workers.domain.pricing.splitting import split
from workers.domain.shop import Shop

NOW = datetime(2026, 1, 1, tzinfo=UTC)
YESTERDAY, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)
BASKETS = 1_500
Bought = tuple[Basket, list[tuple[Product, int]]]


@pytest.fixture(scope="module")
def year() -> Year:
    return Year()


@pytest.fixture(scope="module")
def bought(year: Year) -> list[Bought]:
    products: dict[str, Product] = {}
    return [
        (basket, [(products.setdefault(sku_id, year.product(sku_id)), units) for sku_id, units in basket.lines])
        for basket in islice(year.baskets(), BASKETS)
    ]


def test_the_lines_of_a_basket_are_different_products_at_whole_prices(year: Year) -> None:
    assert len(year) == 155_381
    for basket in islice(year.baskets(), 500):
        skus = [sku_id for sku_id, _ in basket.lines]
        assert skus
        assert len(set(skus)) == len(skus)
        assert all(units >= 1 for _, units in basket.lines)
        products = [year.product(sku_id) for sku_id in skus]
        assert all(product.price_cents >= 1 and product.name for product in products)
        assert all(year.product(sku_id).demand_units >= units for sku_id, units in basket.lines)


def test_fuel_in_thousandths_of_a_gallon_is_sold_as_one_unit(year: Year) -> None:
    fuel = year.product("6534178")
    assert "GASOLINE" in fuel.name
    assert fuel.price_cents > 100
    assert UNITS_MAX < 1_000


@pytest.mark.parametrize(
    ("household", "first", "products"),
    [("1519", "maker-850562-100", 1), ("165", "campaign-26-53377610033-100", 8)],
    ids=["0.55 by the maker, matched with 0.45 by the shop", "redeemed that day"],
)
def test_a_coupon_of_the_data_set_is_found(bought: list[Bought], household: str, first: str, products: int) -> None:
    coupons = [basket.coupon for basket, _ in bought if basket.household == household and basket.coupon is not None]
    assert (coupons[0].template_id, coupons[0].face_cents, len(coupons[0].scope)) == (first, 100, products)


def _sku(product: Product) -> quote.Sku:
    return quote.Sku(
        product.sku_id,
        product.sku_id,
        product.name,
        True,
        product.price_cents,
        product.currency,
        product.product_type,
        product.seller_id,
        product.category,
    )


def _promotion(product: Product) -> Promotion | None:
    """Return the promotion that the order system reads from the message."""
    message = promotion_upsert(product, YESTERDAY, TOMORROW)
    if message is None:
        return None
    upsert = PromotionUpsert.model_validate_json(message.to_amqp(None).body)
    steps = tuple(tuple(step.model_dump().values()) for step in upsert.steps)
    return Promotion(**upsert.model_dump(include=PROMOTION_FIELDS), steps=steps)


PROMOTION_FIELDS = set(Promotion.__dataclass_fields__) - {"steps"}


def _coupon(coupon: Coupon | None) -> coupons.Coupon | None:
    if coupon is None:
        return None
    upsert = CouponTemplateUpsert.model_validate_json(
        coupon_template_upsert(coupon, YESTERDAY, TOMORROW).to_amqp(None).body
    )
    return coupons.Coupon(
        "c",
        "u",
        coupons.CouponState.ISSUED,
        None,
        upsert.name,
        upsert.amount,
        upsert.currency,
        upsert.min_amount,
        coupons.CouponScope(upsert.scope),
        frozenset(upsert.scope_ids),
        frozenset(),
        frozenset(),
        upsert.valid_from,
        upsert.valid_to,
    )


RULES = Rules(free_shipping_from_cents=5_000)
EVERY = ("CNY", "USD")
SHOP = Shop(
    shipping_fee_minor_units=dict.fromkeys(EVERY, 499),
    free_shipping_from_minor_units=dict.fromkeys(EVERY, 5_000),
    points_unit_minor_units=dict.fromkeys(EVERY, 100),
)


def _quote(basket: Basket, lines: list[tuple[Product, int]], points: int) -> quote.Quote:
    coupon = _coupon(basket.coupon)
    request = quote.PriceRequest(
        [quote.RequestedLine(product.sku_id, units, "main") for product, units in lines],
        basket.currency,
        "pc",
        "US",
        None if coupon is None else "c",
        points,
    )
    promotions = [found for product, _ in lines if (found := _promotion(product)) is not None]
    assert not any(map(invalid, promotions))
    rules = quote.Rules({product.sku_id: _sku(product) for product, _ in lines}, promotions)
    made = quote.quote(request, rules, quote.Buyer("u", None, points, coupon), SHOP, NOW)
    assert isinstance(made, quote.Quote), (basket, made)
    return made


def test_the_checkout_and_the_order_system_compute_the_same_price_to_the_cent(bought: list[Bought]) -> None:
    """The checkout computes plain sums, and the order system prices line by line.

    The baskets have all kinds of promotions and coupons.
    """
    kinds: Counter[str] = Counter()
    for basket, lines in bought:
        collected = points_collected(basket.household)
        due = price_breakdown(lines, RULES, basket.coupon, collected)
        made = _quote(basket, lines, collected if due.points else 0)
        ours = PriceBreakdown(
            made.origin_amount,
            made.promotion_amount,
            made.coupon_amount,
            made.points_amount,
            made.points_used,
            made.shipping_fee,
        )
        assert ours == due
        assert made.payable_amount == due.payable > 0
        assert len(split(made, SHOP.split_by)) == parts(lines)
        kinds.update(rule[2] for rule in made.rules_used)
        kinds.update(coupon=due.coupon > 0, points=due.points > 0, split=parts(lines) > 1, free=due.shipping == 0)
    assert set(kinds) == {"single", "ladder", "full_reduction", "coupon", "points", "split", "free"}
    assert min(kinds.values()) > 0


def test_a_few_baskets_in_a_hundred_are_split_and_use_coupons(bought: list[Bought]) -> None:
    splits = sum(parts(lines) > 1 for _, lines in bought)
    coupons_used = sum(basket.coupon is not None for basket, _ in bought)
    assert BASKETS // 50 < splits < BASKETS // 20
    assert BASKETS // 50 < coupons_used < BASKETS // 10


def test_our_promotions_give_about_the_discounts_of_the_real_shop(bought: list[Bought]) -> None:
    theirs = sum(basket.retail_off_cents for basket, _ in bought)
    ours = sum(price_breakdown(lines, Rules()).promotion for _, lines in bought)
    assert abs(ours - theirs) * 20 < theirs
    for basket, lines in bought:
        if basket.coupon is not None:
            assert 0 < price_breakdown(lines, Rules(), basket.coupon).coupon <= basket.coupon.face_cents
            assert basket.coupon.face_cents <= basket.coupons_off_cents
