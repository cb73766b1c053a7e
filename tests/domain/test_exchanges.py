"""What the wanted goods of an exchange cost beside those that come back: to the minor unit, with the tax on top."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseSource, CaseType
from workers.domain.exchanges import ExchangeLine, ExchangeTerms, balance, exchange_lines, with_exchange, worth
from workers.domain.money import Rounding, included, share
from workers.domain.pricing.types import Sku
from workers.domain.refund_amounts import BoughtLine, give_back, refund_units
from workers.domain.shop import Shop
from workers.domain.sourcing import ANYWHERE, WarehouseLists

RATES = st.sampled_from([0, 1, 500, 600, 1900, 2700, 10_000]) | st.integers(0, 10_000)
AMOUNTS = st.integers(0, 30) | st.integers(0, 10**9)
ROUNDINGS = st.sampled_from(Rounding)


def wanted_sku(sku_id: str, price: int) -> Sku:
    return Sku(sku_id, "p", "other", True, price, "CNY", "physical", None, tax_class=sku_id)


def exchange_case(*lines: CaseLine) -> AfterSaleCase:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    return AfterSaleCase(1, "A1", 7, CaseType.EXCHANGE, CaseSource.USER, "quality", False, now, lines=lines)


def taxed(rates: dict[str, int], rounding: Rounding = Rounding.HALF_UP) -> Shop:
    return Shop(tax_rates_basis_points=rates, tax_rounding=rounding)


def bought(line_no: int = 1, sku_id: str = "s1", qty: int = 3, goods: int = 1500, shipping: int = 7) -> BoughtLine:
    return BoughtLine(line_no, sku_id, "main", qty, goods + shipping, shipping, 0, 0)


@pytest.mark.parametrize(
    ("price", "rate", "value", "credit", "net", "tax"),
    [
        (400, 0, 1500, 1200, 0, 0),
        (400, 1000, 1500, 1320, 0, 0),
        (600, 0, 1500, 1500, 300, 0),
        (600, 1000, 1500, 1500, 436, 44),
        (500, 1000, 1500, 1500, 136, 14),
    ],
    ids=["cheaper", "cheaper with tax", "dearer", "dearer with tax", "the same price, but taxed"],
)
def test_prices_are_compared_with_tax_and_without_shipping(  # noqa: PLR0917 (a row of the table)
    price: int, rate: int, value: int, credit: int, net: int, tax: int
) -> None:
    one = exchange_case(CaseLine(1, 3, wanted_sku_id="s2"))
    [line] = exchange_lines(
        one, {1: 3}, [bought()], ExchangeTerms({"s2": wanted_sku("s2", price)}, taxed({"s2": rate}))
    )
    assert (line.value, line.credit, line.origin - line.reduction, line.tax) == (value, credit, net, tax)


def test_goods_of_an_exchange_are_taxed_as_their_country_says() -> None:
    one, shop = (
        exchange_case(CaseLine(1, 3, wanted_sku_id="s2")),
        replace(taxed({"s2": 1000}), tax_rates_by_country_basis_points={"DE": {"s2": 700}}),
    )
    rates = [
        line.basis_points
        for country in ("DE", "CN")
        for line in exchange_lines(
            one, {1: 3}, [bought()], ExchangeTerms({"s2": wanted_sku("s2", 600)}, shop, region=(country, ""))
        )
    ]
    assert rates == [700, 1000]


def test_a_shop_whose_prices_include_tax_adds_none() -> None:
    shop = replace(taxed({"s2": 1000}), tax_inclusive=True)
    one = exchange_case(CaseLine(1, 3, wanted_sku_id="s2"))
    [line] = exchange_lines(one, {1: 3}, [bought()], ExchangeTerms({"s2": wanted_sku("s2", 600)}, shop))
    assert (line.price, line.tax, line.basis_points) == (1800, 0, 0)


@pytest.mark.parametrize(
    ("lists", "names"),
    [
        ({}, ("main", "west", "standard")),
        ({ANYWHERE: ("north", "west")}, ("west", "north")),
        ({ANYWHERE: ("north", "east")}, ("north", "east")),
        ({ANYWHERE: ("west",), ("CN", "Anhui"): ("east",)}, ("east",)),
    ],
    ids=["no list", "one of two is listed", "none is listed", "the region has its own list"],
)
def test_lists_say_where_wanted_goods_may_come_from(
    lists: dict[tuple[str, str], tuple[str, ...]], names: tuple[str, ...]
) -> None:
    """Two lines, which came from main and from west, are exchanged for one SKU, which comes from one warehouse."""
    one = exchange_case(CaseLine(1, 1, wanted_sku_id="s2"), CaseLine(2, 1, wanted_sku_id="s2"))
    terms = ExchangeTerms(
        {"s2": wanted_sku("s2", 600)},
        Shop(default_warehouse="standard"),
        WarehouseLists({"s2": lists}),
        ("CN", "Anhui"),
    )
    before = [bought(), replace(bought(2), warehouse="west")]
    lines = exchange_lines(one, {1: 1, 2: 1}, before, terms)
    assert [(line.warehouse, *line.others) for line in lines] == [names] * 2


@given(amount=AMOUNTS, rate=RATES, rounding=ROUNDINGS)
def test_a_tax_that_was_added_is_found_in_the_sum(amount: int, rate: int, rounding: Rounding) -> None:
    tax = share(amount, rate, rounding)
    assert included(amount + tax, rate, rounding) == tax


def test_lines_of_which_nothing_is_exchanged_are_left_out() -> None:
    one = exchange_case(CaseLine(1, 3, wanted_sku_id="s1"), CaseLine(2, 3, wanted_sku_id="s2"))
    terms = ExchangeTerms({name: wanted_sku(name, 500) for name in ("s1", "s2")}, Shop())
    [line] = exchange_lines(one, {1: 0, 2: 2}, [bought(1), bought(2, "s2")], terms)
    assert (line.line_no, line.case_line_no, line.qty) == (1, 2, 2)


def test_units_count_for_no_money_that_went_back_and_shipping_is_no_part_of_it() -> None:
    line = replace(bought(), refunded_qty=2, refunded_amount=1007, refunded_shipping=7)
    assert (worth(line, 1), worth(line, 2)) == (500, 500)
    assert worth(replace(line, refunded_amount=1207), 1) == 300  # a reviewer was generous


@st.composite
def _exchanges(draw: st.DrawFn) -> tuple[list[BoughtLine], list[ExchangeLine], AfterSaleCase]:
    """The lines of an exchange order for units of up to three lines, of which some may have gone back before."""
    lines, parts, skus, rates = [], [], {}, {}
    for line_no in range(1, draw(st.integers(1, 3)) + 1):
        qty = draw(st.integers(1, 7))
        line = bought(line_no, f"s{line_no}", qty, draw(AMOUNTS))
        gone, name = draw(st.integers(0, qty - 1)), draw(st.sampled_from([f"s{line_no}", f"other{line_no}"]))
        [line] = give_back([line], refund_units([line], {line_no: gone}))
        lines.append(line)
        parts.append(CaseLine(line_no, draw(st.integers(1, qty - gone)), wanted_sku_id=name))
        skus[name], rates[name] = wanted_sku(name, draw(AMOUNTS)), draw(RATES)
    one = exchange_case(*parts)
    units = {part.line_no: part.qty for part in parts}
    return lines, exchange_lines(one, units, lines, ExchangeTerms(skus, taxed(rates, draw(ROUNDINGS)))), one


@given(_exchanges())
def test_what_was_paid_and_the_difference_are_what_the_wanted_goods_cost(
    made: tuple[list[BoughtLine], list[ExchangeLine], AfterSaleCase],
) -> None:
    lines, wanted, one = made
    to_pay = sum(line.origin - line.reduction + line.tax for line in wanted)
    arrived = [replace(line, accepted_qty=line.qty) for line in with_exchange(one.lines, wanted)]
    goes_back = balance(arrived)
    assert sum(line.value for line in wanted) + to_pay - goes_back == sum(line.price for line in wanted)
    assert min(to_pay, goes_back) == 0, "the buyer never pays and gets money at once"
    for line, before in zip(wanted, lines, strict=True):
        assert 0 <= line.credit <= line.price
        assert 0 <= line.reduction <= line.origin
        assert line.tax == included(line.price - line.credit, line.basis_points, line.rounding)
        if line.sku.sku_id != before.sku_id:
            assert line.value <= before.payable_amount - before.shipping_share - before.refunded_amount
        else:
            assert line.value == line.price


@given(goods=AMOUNTS, steps=st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=12), qty=st.integers(1, 12))
def test_no_unit_counts_twice_in_whatever_order_units_are_paid_and_exchanged(
    goods: int, steps: list[tuple[bool, int]], qty: int
) -> None:
    line, counted, free = bought(qty=qty, goods=goods), 0, qty
    for is_paid, wanted in steps:
        units = min(wanted, free)
        free -= units
        if is_paid and units:
            [line] = give_back([line], refund_units([line], {1: units}))
        else:
            counted += worth(line, units)
    assert counted + line.refunded_amount - line.refunded_shipping <= goods
