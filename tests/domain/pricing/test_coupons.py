"""Who may use a coupon, for what and when, and its amount to the last minor unit (R-04, S4-05)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.pricing.builders import AT, DAY, coupon, priced, promotion, refused, sku
from workers.domain.pricing.coupons import take_off, unusable
from workers.domain.pricing.quote import Buyer
from workers.domain.refusal import Refusal

ADA = Buyer("ada", "gold")
TICK = timedelta(microseconds=1)
TEA, CUP, BOOK = sku("tea", 1000, category_id="food"), sku("cup", 500, category_id="house"), sku("book", 700)

USABLE: list[tuple[str, dict[str, Any]]] = [
    ("as it is", {}),
    ("from its first moment", {"valid_from": AT}),
    ("until its last", {"valid_to": AT + TICK}),
    ("on this channel", {"channels": frozenset({"pc", "mobile"})}),
    ("for this level", {"member_levels": frozenset({"gold"})}),
]


@pytest.mark.parametrize("more", [u[1] for u in USABLE], ids=[u[0] for u in USABLE])
def test_a_coupon_can_be_used(more: dict[str, Any]) -> None:
    assert unusable(coupon(100, **more), ADA, "CNY", "pc", AT) is None


UNUSABLE: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("another user's", {"user_id": "eve"}, "COUPON_NOT_FOUND", None),
    ("another user's, and used", {"user_id": "eve", "state": "used", "order_id": 7}, "COUPON_NOT_FOUND", None),
    ("in another order", {"state": "locked", "order_id": 7}, "COUPON_ALREADY_LOCKED", None),
    ("used", {"state": "used", "order_id": 7}, "COUPON_NOT_USABLE", "used"),
    ("marked as expired", {"state": "expired"}, "COUPON_NOT_USABLE", "expired"),
    ("expired, not marked yet", {"valid_to": AT}, "COUPON_NOT_USABLE", "expired"),
    ("too early", {"valid_from": AT + TICK}, "COUPON_NOT_USABLE", "not_yet_valid"),
    ("elsewhere", {"channels": frozenset({"mobile"})}, "COUPON_NOT_USABLE", "channel"),
    ("for others", {"member_levels": frozenset({"tin"})}, "COUPON_NOT_USABLE", "member_level"),
    ("other money", {"currency": "EUR"}, "COUPON_NOT_USABLE", "currency"),
]


@pytest.mark.parametrize(("more", "code", "why"), [u[1:] for u in UNUSABLE], ids=[u[0] for u in UNUSABLE])
def test_a_coupon_cannot_be_used(more: dict[str, Any], code: str, why: str | None) -> None:
    refusal = refused((TEA, 1), coupon=coupon(100, **more), level="gold")
    assert (refusal.code, refusal.details.get("why")) == (code, why)


def test_a_coupon_that_was_not_issued_is_as_unknown_as_another_users() -> None:
    theirs = unusable(coupon(100, user_id="eve"), ADA, "CNY", "pc", AT)
    assert unusable(None, ADA, "CNY", "pc", AT) == theirs


def test_a_buyer_without_a_level_cannot_use_a_coupon_for_a_level() -> None:
    refusal = unusable(coupon(100, member_levels=frozenset({"gold"})), Buyer("ada"), "CNY", "pc", AT)
    assert refusal is not None
    assert refusal.details["why"] == "member_level"


SCOPES: list[tuple[str, dict[str, Any], list[int]]] = [
    ("everything", {}, [455, 227, 318]),
    ("a category", {"scope": "category", "scope_ids": frozenset({"food", "house"})}, [667, 333, 0]),
    ("some SKUs", {"scope": "sku", "scope_ids": frozenset({"tea", "book"})}, [588, 0, 412]),
    ("one line", {"scope": "sku", "scope_ids": frozenset({"cup", "else"})}, [0, 500, 0]),
]


@pytest.mark.parametrize(("more", "amounts"), [s[1:] for s in SCOPES], ids=[s[0] for s in SCOPES])
def test_a_coupon_is_shared_among_what_it_is_for_and_never_above_it(more: dict[str, Any], amounts: list[int]) -> None:
    made = priced((TEA, 1), (CUP, 1), (BOOK, 1), coupon=coupon(1000, **more))
    assert [line.coupon_amount for line in made.lines] == amounts
    assert (made.coupon_id, made.coupon_amount) == ("c1", sum(amounts))


LEAST: list[tuple[str, dict[str, Any], int, bool]] = [
    ("reached exactly", {}, 1500, True),
    ("one minor unit short", {}, 1501, False),
    ("what it is not for does not count", {"scope": "sku", "scope_ids": frozenset({"tea"})}, 1001, False),
]


@pytest.mark.parametrize(("more", "least", "enough"), [e[1:] for e in LEAST], ids=[e[0] for e in LEAST])
def test_the_threshold_is_exact(more: dict[str, Any], least: int, enough: bool) -> None:
    mine = coupon(100, min_amount=least, **more)
    if enough:
        assert priced((TEA, 1), (CUP, 1), coupon=mine).coupon_amount == 100
        return
    refusal = refused((TEA, 1), (CUP, 1), coupon=mine)
    assert refusal.details == {"coupon_id": "c1", "why": "threshold", "min_amount": least, "base": least - 1}


def test_the_threshold_is_compared_with_what_promotions_left() -> None:
    cheaper = promotion("single", prices={"tea": 999})
    assert priced((TEA, 1), coupon=coupon(100, min_amount=999), promotions=[cheaper]).payable_amount == 899
    assert refused((TEA, 1), coupon=coupon(100, min_amount=1000), promotions=[cheaper]).details["base"] == 999


def test_a_coupon_that_is_for_nothing_in_the_order_is_refused() -> None:
    refusal = refused((TEA, 1), coupon=coupon(100, scope="category", scope_ids=frozenset({"none"})))
    assert refusal.details == {"coupon_id": "c1", "why": "scope"}


def test_a_product_without_a_category_is_in_none() -> None:
    refusal = refused((BOOK, 1), coupon=coupon(100, scope="category", scope_ids=frozenset({"food"})))
    assert refusal.details["why"] == "scope"


def test_a_coupon_is_not_used_up_for_nothing() -> None:
    assert refused((sku("gift", 0), 3), coupon=coupon(100)).details["why"] == "threshold"


@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.booleans()), min_size=1, max_size=200),
    st.integers(1, 10**15),
    st.integers(0, 10**15),
)
def test_a_coupon_takes_off_its_amount_or_all_there_is(lines: list[tuple[int, bool]], amount: int, least: int) -> None:
    rest, covered = [left for left, _ in lines], [yes for _, yes in lines]
    base = sum(left for left, yes in lines if yes)
    parts = take_off(coupon(amount, min_amount=least), rest, covered)
    if isinstance(parts, Refusal):
        assert base < least or base == 0
        return
    assert base >= least
    assert sum(parts) == min(amount, base)
    for part, left, yes in zip(parts, rest, covered, strict=True):
        assert 0 <= part <= (left if yes else 0)
        assert abs(part * base - sum(parts) * (left if yes else 0)) < base


def test_of_two_windows_that_touch_only_one_holds() -> None:
    first, second = coupon(1, valid_to=AT), coupon(1, valid_from=AT, valid_to=AT + DAY)
    assert [unusable(c, ADA, "CNY", "pc", AT) is None for c in (first, second)] == [False, True]
