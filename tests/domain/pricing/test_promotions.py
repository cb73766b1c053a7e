"""Which promotions are valid, which exclude each other, and which one applies to a line (R-02)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.domain.pricing.builders import AT, DAY, promotion
from workers.domain.pricing.promotions import Promotion, index, invalid, overlapping, pick

SINGLE = {"prices": {"tea": 900}}
MEMBER = {"member_prices": {"gold": {"tea": 900}}}
LADDER = {"steps": ((2, 9000), (3, 7500))}
FULL = {"steps": ((10_000, 1000), (20_000, 3000))}
SOUND: list[tuple[str, dict[str, Any]]] = [
    ("none", {}), ("none", LADDER), ("single", SINGLE), ("member", MEMBER), ("flash", SINGLE),
    ("flash", SINGLE | {"quantity": 0, "per_user_limit": 1}), ("ladder", LADDER), ("full_reduction", FULL),
    ("single", {"prices": {"tea": 0}}), ("ladder", {"steps": ((1, 0),)}), ("ladder", {"steps": ((1, 10_000),)}),
    ("full_reduction", {"steps": ((500, 500),)}), ("full_reduction", FULL | {"scope": "all", "scope_id": None}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "more"), SOUND)
def test_these_promotions_make_sense(kind: str, more: dict[str, Any]) -> None:
    assert invalid(promotion(kind, **more)) is None


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("lottery", {}, "kind"),
    ("single", SINGLE | {"scope": "shop"}, "scope"),
    ("single", SINGLE | {"scope_id": None}, "scope_id"),
    ("single", SINGLE | {"scope": "all"}, "scope_id"),
    ("single", SINGLE | {"ends_at": AT - DAY}, "ends_at"),
    ("none", {"ends_at": AT - 2 * DAY}, "ends_at"),
    ("single", SINGLE | {"per_user_limit": 0}, "per_user_limit"),
    ("flash", SINGLE | {"quantity": -1}, "quantity"),
    ("single", SINGLE | {"quantity": 5}, "quantity"),
    ("single", {}, "prices"),
    ("flash", {}, "prices"),
    ("single", {"prices": {"tea": 900, "cup": -1}}, "prices"),
    ("single", SINGLE | LADDER, "steps"),
    ("ladder", LADDER | SINGLE, "prices"),
    ("member", {}, "member_prices"),
    ("member", SINGLE, "prices"),
    ("member", {"member_prices": {"gold": {}}}, "member_prices"),
    ("member", {"member_prices": {"gold": {"tea": 900}, "silver": {"tea": -1}}}, "member_prices"),
    ("ladder", {}, "steps"),
    ("ladder", {"steps": ((3, 7500), (2, 9000))}, "steps"),
    ("ladder", {"steps": ((2, 9000), (2, 7500))}, "steps"),
    ("ladder", {"steps": ((0, 9000),)}, "steps"),
    ("ladder", {"steps": ((2, 10_001),)}, "steps"),
    ("ladder", {"steps": ((2, -1),)}, "steps"),
    ("full_reduction", {}, "steps"),
    ("full_reduction", {"steps": ((1000, 1001),)}, "steps"),
    ("full_reduction", {"steps": ((1000, 0),)}, "steps"),
    ("full_reduction", {"steps": ((1000, 100), (1000, 200))}, "steps"),
    ("full_reduction", {"steps": ((2000, 100), (1000, 50))}, "steps"),
]


@pytest.mark.parametrize(("kind", "more", "field"), WRONG)
def test_what_makes_no_sense_is_refused_with_its_field(kind: str, more: dict[str, Any], field: str) -> None:
    refusal = invalid(promotion(kind, **more))
    assert refusal is not None
    assert (refusal.code, refusal.details) == ("PROMOTION_INVALID", {"field": field, "promo_id": "p1"})


def for_tea(promo_id: str = "p2", kind: str = "single", **more: Any) -> Promotion:
    return promotion(kind, promo_id=promo_id, **(SINGLE if kind == "single" else {}), **more)


OTHERS = [
    ("the same goods and time", for_tea(), True),
    ("another kind", for_tea(kind="ladder", steps=((2, 9000),)), True),
    (
        "it begins in the last moment",
        for_tea(starts_at=AT + DAY - timedelta(microseconds=1), ends_at=AT + 9 * DAY),
        True,
    ),
    ("it begins when the other ends", for_tea(starts_at=AT + DAY, ends_at=AT + 2 * DAY), False),
    ("it ends when the other begins", for_tea(starts_at=AT - 2 * DAY, ends_at=AT - DAY), False),
    ("inside", for_tea(starts_at=AT, ends_at=AT + timedelta(hours=1)), True),
    ("around", for_tea(starts_at=AT - 9 * DAY, ends_at=AT + 9 * DAY), True),
    ("itself", for_tea("p1"), False),
    ("switched off", for_tea(kind="none"), False),
    ("another SPU", for_tea(scope_id="spu-2"), False),
    ("a wider scope", for_tea(scope="all", scope_id=None), False),
    ("a category of the same id", for_tea(scope="category"), False),
    ("another currency: no order has both", for_tea(currency="EUR"), False),
]


@pytest.mark.parametrize(("other", "in_the_way"), [o[1:] for o in OTHERS], ids=[o[0] for o in OTHERS])
def test_one_promotion_for_the_same_goods_at_a_time(other: Promotion, in_the_way: bool) -> None:
    new, far = promotion("single", **SINGLE), for_tea("p9", scope_id="far")
    found = other if in_the_way else None
    assert overlapping(new, [far, other]) == found
    assert overlapping(other, [far, new]) == (new if in_the_way else None)


CATEGORY: dict[str, Any] = {"scope": "category", "scope_id": "cat"}
ALL: dict[str, Any] = {"scope": "all", "scope_id": None}
PICKED: list[tuple[str, list[Promotion], str | None]] = [
    ("nothing is valid", [], None),
    ("the SPU before the category", [for_tea("b", **CATEGORY, revision=9), for_tea("a")], "a"),
    ("the category before all", [for_tea("b", **ALL, revision=9), for_tea("a", **CATEGORY)], "a"),
    ("all, where nothing is narrower", [for_tea("a", **ALL), for_tea("b", scope_id="other")], "a"),
    ("the highest revision", [for_tea("a", revision=2), for_tea("b", revision=10), for_tea("c", revision=9)], "b"),
    ("then the first id", [for_tea("b"), for_tea("a"), for_tea("c")], "a"),
    ("an older one, once the newer ended", [for_tea("a", revision=9, ends_at=AT), for_tea("b")], "b"),
    ("from its first moment", [for_tea("a", starts_at=AT)], "a"),
    ("not before it", [for_tea("a", starts_at=AT + timedelta(microseconds=1))], None),
    ("not at its end", [for_tea("a", ends_at=AT)], None),
    ("never in another currency", [for_tea("a", currency="EUR", revision=9), for_tea("b", **ALL)], "b"),
    ("none hides nothing", [for_tea("a", kind="none", revision=9), for_tea("b")], "b"),
]


@pytest.mark.parametrize(("valid", "picked"), [p[1:] for p in PICKED], ids=[p[0] for p in PICKED])
def test_a_line_takes_part_in_the_narrowest_newest_promotion(valid: list[Promotion], picked: str | None) -> None:
    for order in (valid, valid[::-1]):
        found = pick(index(order), "spu", "cat", "CNY", AT)
        assert (found.promo_id if found else None) == picked


def test_a_product_without_a_category_is_in_none() -> None:
    assert pick(index([for_tea("a", scope="category", scope_id="cat")]), "spu", None, "CNY", AT) is None


COUNTED: list[tuple[str, dict[str, Any], bool]] = [
    ("single", SINGLE, False), ("single", SINGLE | {"per_user_limit": 1}, True), ("flash", SINGLE, True),
    ("ladder", LADDER | {"per_user_limit": 9}, True), ("full_reduction", FULL, False),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "more", "counted"), COUNTED)
def test_units_are_counted_where_a_price_is_limited(kind: str, more: dict[str, Any], counted: bool) -> None:
    assert promotion(kind, **more).counted is counted
