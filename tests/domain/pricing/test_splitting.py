"""One order as several: every term of the parts adds up to the whole (R-07, S0-05)."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.pricing.builders import PriceCase, price_cases, priced, sku
from workers.domain.pricing.quote import PricedLine, Quote
from workers.domain.pricing.splitting import split
from workers.domain.shop import Shop

REASONS = [(), ("product_type",), ("seller",), ("product_type", "seller")]
TERMS = (
    "origin_amount",
    "promotion_amount",
    "coupon_amount",
    "points_amount",
    "tax_amount",
    "net_amount",
    "payable_amount",
)


@given(price_cases(), st.sampled_from(REASONS))
def test_the_parts_add_up_to_the_whole_in_every_term(any_case: PriceCase, by: Collection[str]) -> None:
    made = any_case.result
    if not isinstance(made, Quote):
        return
    parts = split(made, by)
    for term in TERMS:
        assert sum(getattr(line, term) for part in parts for line in part) == getattr(made, term)
    assert sum(line.shipping_share for part in parts for line in part) == made.shipping_fee
    assert sum(line.qty for part in parts for line in part) == sum(wanted.qty for wanted in any_case.request.wanted)
    assert sum(line.quota_units for part in parts for line in part) == sum(made.quota_uses.values())


@given(price_cases(), st.sampled_from(REASONS))
def test_each_line_is_in_one_part_and_the_parts_follow_their_first_lines(
    any_case: PriceCase, by: Collection[str]
) -> None:
    made = any_case.result
    if not isinstance(made, Quote):
        return
    parts = split(made, by)
    assert sorted(line for part in parts for line in part) == list(made.lines)
    assert [part[0].line_no for part in parts] == sorted(part[0].line_no for part in parts)
    for part in parts:
        assert [line.line_no for line in part] == sorted(line.line_no for line in part)
        assert len({reasons(line, by) for line in part}) == 1
    assert len({reasons(part[0], by) for part in parts}) == len(parts)


def reasons(line: PricedLine, by: Collection[str]) -> tuple[object, ...]:
    """The values by which a line is grouped. Lines with other values go into other parts."""
    return tuple(line.sku.product_type if reason == "product_type" else line.sku.seller_id for reason in by)


GOODS = [
    sku("tea"), sku("film", product_type="virtual"), sku("cup", seller_id="ann"), sku("pot"),
    sku("song", product_type="virtual", seller_id="ann"),
]  # fmt: skip
GROUPS: list[tuple[Collection[str], list[list[int]]]] = [
    ((), [[1, 2, 3, 4, 5]]),
    ({"product_type"}, [[1, 3, 4], [2, 5]]),
    ({"seller"}, [[1, 2, 4], [3, 5]]),
    ({"product_type", "seller"}, [[1, 4], [2], [3], [5]]),
]


@pytest.mark.parametrize(("by", "numbers"), GROUPS)
def test_lines_are_split_as_the_shop_is_configured(by: Collection[str], numbers: list[list[int]]) -> None:
    made = priced(*[(item, 1) for item in GOODS], shop=Shop(shipping_fee_minor_units={"CNY": 7}))
    assert [[line.line_no for line in part] for part in split(made, by)] == numbers


def test_goods_of_one_kind_are_not_split() -> None:
    made = priced((sku("tea"), 1), (sku("cup"), 2))
    assert split(made, ("product_type", "seller")) == (made.lines,)
