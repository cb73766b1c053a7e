"""What an order costs: every minor unit belongs to a line, and no number of the client's enters (requirements 9.6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.pricing import AMOUNT_MAX, QUANTITY_MAX, Quote, Sku, Wanted, quote
from workers.domain.refusal import Refusal

TEA = Sku("tea", "spu-tea", "Tea", True, 500, "CNY", "normal", None)
CUP = Sku("cup", "spu-cup", "Cup", True, 333, "CNY", "normal", None)
GIFT = Sku("gift", "spu-gift", "Gift", True, 0, "CNY", "normal", None)
GONE = TEA._replace(sku_id="gone", on_sale=False)
STEIN = TEA._replace(sku_id="stein", currency="EUR")
DEAR = TEA._replace(sku_id="dear", price=AMOUNT_MAX)
SKUS = {sku.sku_id: sku for sku in (TEA, CUP, GIFT, GONE, STEIN, DEAR)}

lines = st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 1000)), min_size=1, max_size=200)


def ask(*wanted: tuple[str, int], fee: int = 0, expected: int | None = None) -> Quote | Refusal:
    given_lines = [Wanted(sku_id, qty, "main") for sku_id, qty in wanted]
    return quote(given_lines, SKUS, currency="CNY", shipping_fee=fee, expected=expected)


def price(prices: list[tuple[int, int]], fee: int) -> Quote | Refusal:
    skus = {str(n): TEA._replace(sku_id=str(n), price=amount) for n, (amount, _) in enumerate(prices)}
    wanted = [Wanted(str(n), qty, "main") for n, (_, qty) in enumerate(prices)]
    return quote(wanted, skus, currency="CNY", shipping_fee=fee)


@given(lines, st.integers(0, 10**9))
def test_the_lines_add_up_to_the_order_to_the_last_minor_unit(prices: list[tuple[int, int]], fee: int) -> None:
    plain = sum(amount * qty for amount, qty in prices)
    made = price(prices, fee)
    if plain + fee > AMOUNT_MAX:
        assert made == Refusal("ORDER_PARAM_INVALID", "the order is too large", {"field": "items"})
        return
    assert isinstance(made, Quote)
    assert (made.origin_amount, made.shipping_fee, made.payable_amount) == (plain, fee, plain + fee)
    assert sum(line.payable_amount for line in made.lines) == made.payable_amount
    assert sum(line.origin_amount for line in made.lines) == made.origin_amount
    assert sum(line.shipping_share for line in made.lines) == fee
    assert [line.line_no for line in made.lines] == list(range(1, len(prices) + 1))


@given(lines, st.integers(0, 10**9), st.integers(-(2**63), 2**63))
def test_what_the_client_expects_is_compared_and_never_computed_with(
    prices: list[tuple[int, int]], fee: int, expected: int
) -> None:
    ours = price(prices, fee)
    skus = {str(n): TEA._replace(sku_id=str(n), price=amount) for n, (amount, _) in enumerate(prices)}
    wanted = [Wanted(str(n), qty, "main") for n, (_, qty) in enumerate(prices)]
    told = quote(wanted, skus, currency="CNY", shipping_fee=fee, expected=expected)
    if isinstance(ours, Refusal) or ours.payable_amount == expected:
        assert told == ours
        return
    assert isinstance(told, Refusal)
    assert told.code == "ORDER_PRICE_MISMATCH"
    assert told.details == {"expected": ours.payable_amount, "got": expected, "currency": "CNY"}
    assert quote(wanted, skus, currency="CNY", shipping_fee=fee, expected=ours.payable_amount) == ours


REFUSED: list[tuple[str, list[tuple[str, int]], dict[str, Any], str, dict[str, object]]] = [
    ("no lines", [], {}, "ORDER_ITEMS_EMPTY", {"field": "items"}),
    ("no units", [("tea", 1), ("cup", 0)], {}, "ORDER_PARAM_INVALID", {"line_no": 2, "field": "items[1].qty"}),
    ("less than none", [("tea", -1)], {}, "ORDER_PARAM_INVALID", {"line_no": 1, "field": "items[0].qty"}),
    ("too many units", [("tea", QUANTITY_MAX + 1)], {}, "ORDER_PARAM_INVALID", {"line_no": 1}),
    ("nobody knows it", [("tea", 1), ("???", 1)], {}, "PRODUCT_NOT_FOUND", {"line_no": 2, "sku_id": "???"}),
    ("not on sale", [("gone", 1)], {}, "PRODUCT_NOT_ON_SALE", {"line_no": 1, "sku_id": "gone"}),
    ("other currency", [("stein", 1)], {}, "ORDER_PARAM_INVALID", {"field": "currency", "sku_currency": "EUR"}),
    ("too dear", [("dear", 1), ("tea", 1)], {}, "ORDER_PARAM_INVALID", {"field": "items"}),
    ("one unit short", [("tea", 2)], {"expected": 999}, "ORDER_PRICE_MISMATCH", {"expected": 1000, "got": 999}),
    ("one unit over", [("tea", 2)], {"expected": 1001}, "ORDER_PRICE_MISMATCH", {"expected": 1000, "got": 1001}),
    ("without the fee", [("tea", 2)], {"expected": 1000, "fee": 1}, "ORDER_PRICE_MISMATCH", {"expected": 1001}),
]


@pytest.mark.parametrize(("wanted", "more", "code", "details"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_be_priced_is_refused_with_its_code_and_place(
    wanted: list[tuple[str, int]], more: dict[str, Any], code: str, details: dict[str, object]
) -> None:
    refusal = ask(*wanted, **more)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert details.items() <= dict(refusal.details).items()


def test_the_largest_order_is_priced_and_one_unit_more_is_not() -> None:
    assert isinstance(ask(("dear", 1)), Quote)
    assert isinstance(ask(("dear", 1), fee=1), Refusal)
    assert isinstance(ask(("tea", QUANTITY_MAX)), Quote)


def test_the_fee_of_a_free_order_is_shared_equally() -> None:
    made = ask(("gift", 1), ("gift", 2), ("gift", 3), fee=500)
    assert isinstance(made, Quote)
    assert [line.shipping_share for line in made.lines] == [167, 167, 166]


def test_a_free_order_costs_nothing() -> None:
    made = ask(("gift", 3), expected=0)
    assert isinstance(made, Quote)
    assert made.payable_amount == 0


def test_large_quantities_do_not_overflow() -> None:
    """RY multiplies in 32 bits and asks 705,032,704 for this order."""
    made = ask(*[("tea", 1_000_000)] * 10)
    assert isinstance(made, Quote)
    assert made.payable_amount == 5_000_000_000


def test_the_same_sku_on_two_lines_stays_two_lines() -> None:
    made = ask(("tea", 1), ("tea", 2))
    assert isinstance(made, Quote)
    assert [(line.line_no, line.qty, line.payable_amount) for line in made.lines] == [(1, 1, 500), (2, 2, 1000)]
