"""The catalogue: the highest revision counts, and invalid entries are refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from db.statements import SQL
from messages.base import Command, Message
from messages.catalogue import SettingsSet, SkuUnchanged, SkuUpsert
from messages.promotions import LadderStep, ReductionStep
from messages.roles import Role
from tests.handlers.builders import sku
from tests.handlers.catalogue_builders import DAY, NOW, hours, member, promotion, settings, template, warehouses
from tests.handlers.harness import HandlerHarness
from workers.domain.pricing.quote import Sku
from workers.domain.shop import POLICY_FIELDS
from workers.handlers import catalogue
from workers.store import catalogue_entries, promotions, skus

Make = Callable[[int], Command]
REVISIONED: dict[str, tuple[Make, str, str]] = {
    "sku": (lambda n: sku("s1", revision=n, price=n), "skus", "price"),
    "promotion": (lambda n: promotion(revision=n, name=str(n)), "promotions", "name"),
    "coupon_template": (lambda n: template(revision=n, amount=n), "coupon_templates", "amount"),
    "member": (lambda n: member(str(n), revision=n), "members", "level"),
    "settings": (
        lambda n: settings(revision=n, units_max_per_line=n),
        "business_policies",
        "policy->>'units_max_per_line'",
    ),
    "warehouse_hours": (
        lambda n: hours("monday", revision=n, ship_cutoff=f"00:{n % 60:02}"),
        "warehouse_hours",
        "(substr(hours ->> 'ship_cutoff', 4))::integer",
    ),
    "warehouses": (
        lambda n: warehouses(f"w{n}", revision=n, sku_id="s1", country="CN", province="Jiangsu"),
        "warehouse_lists",
        "substr(warehouses[1], 2)",
    ),
}


@pytest.mark.parametrize("name", REVISIONED)
@pytest.mark.parametrize("batches", [((2, 1, 2, 5, 4),), ((2,), (1,), (2,), (5,), (4,))], ids=["one batch", "five"])
async def test_the_highest_revision_counts_and_all_others_are_recorded_without_effect(
    name: str, batches: tuple[tuple[int, ...], ...], harness: HandlerHarness
) -> None:
    make, table, column = REVISIONED[name]
    for batch in batches:
        await harness.handle(*(make(n) for n in batch), trusted=True)
    assert [str(row[0]) for row in await harness.pool.fetch(f"SELECT {column} FROM {table}")] == ["5"]
    assert [e["revision"] for e in harness.events_of(f"{name}.changed")] == [2, 5]
    unchanged = [(e["revision"], e["current_revision"]) for e in harness.events_of(f"{name}.unchanged")]
    assert unchanged == [(1, 2), (4, 5)]  # the second 2 is the same command again


WHOLE: dict[str, list[Command]] = {
    "skus": [
        sku("s1"),
        SkuUpsert(
            sku_id="s1", revision=2, spu_id="tea", name="Tea", specs={"colour": "green"}, status="off_sale", price=1,
            currency="USD", product_type="fresh", category_id="c", seller_id="s", image_url="i", unit="box",
            tax_class="food", gift_points=5, gift_growth=2, points_limit=300, purchase_price=40,
        ),
    ],
    "promotions": [
        promotion("p1"),
        promotion(
            "p1", revision=2, name="Sale", kind="flash", scope="category", scope_id="tea", currency="USD",
            prices={"s2": 1}, starts_at=NOW, ends_at=NOW + 2 * DAY, per_user_limit=3,
        ),
    ],
    "coupon_templates": [
        template("t1"),
        template(
            "t1", revision=2, name="New", amount=7, currency="USD", min_amount=9, scope="sku", scope_ids=("a", "b"),
            channels=("pc",), member_levels=("gold",), valid_from=NOW, valid_to=NOW + 2 * DAY, per_user_limit=3,
            count=4,
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize("table", WHOLE)
async def test_a_new_revision_replaces_every_column(table: str, harness: HandlerHarness) -> None:
    async def row() -> dict[str, Any]:
        found = dict(await harness.pool.fetchrow(f"SELECT * FROM {table}") or {})
        return {name: value for name, value in found.items() if name != "updated_at"}

    first, second = WHOLE[table]
    await harness.handle(first)
    before = await row()
    await harness.handle(second)
    after = await row()
    assert {name for name in before if before[name] == after[name]} <= {"sku_id", "promo_id", "template_id", "issued"}
    await harness.pool.execute("DELETE FROM promotion_quotas")
    await harness.pool.execute(f"DELETE FROM {table}")
    await harness.pool.execute("DELETE FROM commands")
    await harness.handle(second)
    assert await row() == after


def test_a_revision_that_we_have_is_not_taken_twice_from_any_writer(harness: HandlerHarness) -> None:
    item = harness.envelope(sku("s1", revision=2))
    wins, outcomes = catalogue.newest(catalogue.SKUS, [item], {"s1": 2}, catalogue.any_revision)
    assert wins == {}
    assert [event for event, _ in outcomes.values()] == [SkuUnchanged(sku_id="s1", revision=2, current_revision=2)]


async def test_an_sku_is_read_as_it_was_written(harness: HandlerHarness) -> None:
    more = {
        "category_id": "tea",
        "tax_class": "food",
        "gift_points": 5,
        "gift_growth": 2,
        "points_limit": 300,
        "purchase_price": 40,
    }
    await harness.handle(sku("s1").model_copy(update=more), sku("s2"))
    found = await read(harness, "s1", "s2")
    assert found["s1"][12:] == ("food", 5, 2, 300, 40)
    assert found["s2"][12:] == (None, 0, 0, None, None)
    assert found["s1"].category_id == "tea"


async def read(harness: HandlerHarness, *sku_ids: str) -> dict[str, Sku]:
    async with harness.pool.acquire() as tx:
        return await skus.read(tx, sku_ids)


LADDER = (LadderStep(count=2, pay_basis_points=9000), LadderStep(count=3, pay_basis_points=7500))
REDUCTION = (ReductionStep(full=1000, reduce=100),)
SENSELESS: list[tuple[dict[str, Any], str]] = [
    ({"prices": {}}, "prices"),
    ({"scope": "all"}, "scope_id"),
    ({"scope_id": None}, "scope_id"),
    ({"starts_at": NOW, "ends_at": NOW}, "ends_at"),
    ({"quantity": 5}, "quantity"),
    ({"kind": "ladder", "prices": {}}, "steps"),
    ({"kind": "ladder", "prices": {}, "steps": LADDER[::-1]}, "steps"),
    ({"kind": "ladder", "prices": {}, "steps": REDUCTION}, "steps"),
    ({"kind": "full_reduction", "prices": {}, "steps": LADDER}, "steps"),
    ({"kind": "full_reduction", "prices": {}, "steps": (*LADDER, *REDUCTION)}, "steps"),
    ({"kind": "full_reduction", "prices": {}, "steps": (ReductionStep(full=100, reduce=101),)}, "steps"),
]


@pytest.mark.parametrize(("changes", "field"), SENSELESS)
async def test_a_senseless_promotion_is_refused_by_its_field(
    changes: dict[str, Any], field: str, harness: HandlerHarness
) -> None:
    await harness.handle(promotion(**changes), reply_to="client.a")
    assert [(code, details["field"]) for code, details in harness.rejections()] == [("PROMOTION_INVALID", field)]
    assert [reply["code"] for reply in harness.replies] == ["PROMOTION_INVALID"]
    assert await harness.pool.fetchval("SELECT count(*) FROM promotions") == 0


KINDS: list[dict[str, Any]] = [
    {"kind": "single", "prices": {"s1": 400, "s2": 0}},
    {"kind": "member", "member_prices": {"gold": {"s1": 300}, "silver": {"s1": 350}}},
    {"kind": "ladder", "steps": LADDER, "per_user_limit": 3},
    {"kind": "full_reduction", "steps": REDUCTION, "scope": "all", "scope_id": None},
    {
        "kind": "flash",
        "prices": {"s1": 100},
        "quantity": 10,
        "per_user_limit": 2,
        "scope": "category",
        "scope_id": "tea",
    },
]


@pytest.mark.parametrize("terms", KINDS, ids=lambda terms: terms["kind"])
async def test_a_promotion_is_read_as_it_was_written(terms: dict[str, Any], harness: HandlerHarness) -> None:
    body = promotion(**terms)
    await harness.handle(body)
    [found] = await valid(harness)
    assert found == promotions.of(body)


async def valid(harness: HandlerHarness, at: Any = NOW, spu: str = "spu-s1", category: str | None = "tea") -> list[Any]:
    """Promotions for one SKU."""
    one = Sku("s1", spu, "Tea", True, 500, "CNY", "normal", None, category)
    async with harness.pool.acquire() as tx:
        return sorted(await promotions.for_skus(tx, [one], at), key=lambda p: p.promo_id)


async def test_promotions_of_the_spu_the_category_and_all_are_found_while_they_are_valid(
    harness: HandlerHarness,
) -> None:
    await harness.handle(
        promotion("a-spu"),
        promotion("b-category", scope="category", scope_id="tea"),
        promotion("c-all", scope="all", scope_id=None),
        promotion("d-another-spu", scope_id="spu-s2"),
        promotion("e-another-category", scope="category", scope_id="spu-s1"),
        promotion("f-tomorrow", starts_at=NOW + DAY, ends_at=NOW + 2 * DAY),
        promotion("g-yesterday", starts_at=NOW - 2 * DAY, ends_at=NOW - DAY),
        promotion("h-no-more", kind="none", scope="category", scope_id="tea"),
    )
    assert harness.rejections() == []

    async def names(**where: Any) -> str:
        return "".join(found.promo_id[0] for found in await valid(harness, **where))

    second = timedelta(seconds=1)
    assert await names() == "abc"
    assert await names(category=None) == "ac"
    assert await names(spu="spu-s2") == "bcd"
    assert [await names(at=NOW + at) for at in (DAY - second, DAY, 2 * DAY)] == ["abc", "f", ""]
    assert [await names(at=NOW - at) for at in (DAY + second, DAY, 2 * DAY, 3 * DAY)] == ["g", "abc", "g", ""]


async def test_promotions_of_other_goods_are_not_read(harness: HandlerHarness) -> None:
    await harness.pool.execute(
        "INSERT INTO promotions (promo_id, revision, name, kind, scope, scope_id, currency, terms, starts_at, ends_at)"
        " SELECT 'p' || n, 1, 'x', 'single', 'spu', 'spu' || n, 'CNY', '{}', now(), now() + interval '1 day'"
        " FROM generate_series(1, 20000) n"
    )
    await harness.pool.execute("ANALYZE promotions")
    for name, given in {
        "for_scopes": (["spu7"], ["tea"], NOW),
        "beside": (["spu", "all"], ["spu7", None], [NOW] * 2, [NOW + DAY] * 2),
    }.items():
        plan = await harness.pool.fetch(f"EXPLAIN {SQL[f'promotions.{name}']}", *given)
        text = "\n".join(row[0] for row in plan)
        assert "promotions_scope_index" in text, text
        assert "Seq Scan on promotions" not in text, text


OTHERS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"starts_at": NOW + DAY - timedelta(seconds=1), "ends_at": NOW + 3 * DAY}, True),
    ({"starts_at": NOW + DAY, "ends_at": NOW + 3 * DAY}, False),
    ({"scope_id": "spu-s2"}, False),
    ({"scope": "category"}, False),
    ({"currency": "EUR"}, False),
    ({"kind": "none"}, False),
]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
@pytest.mark.parametrize(("changes", "overlaps"), OTHERS)
async def test_only_one_promotion_is_valid_for_the_same_goods_at_a_time(
    changes: dict[str, Any], overlaps: bool, together: bool, harness: HandlerHarness
) -> None:
    bodies = promotion("p1"), promotion("p2", **changes)
    for batch in [bodies] if together else [[body] for body in bodies]:
        await harness.handle(*batch)
    expected = [("PROMOTION_INVALID", {"promo_id": "p2", "overlaps": "p1"})] if overlaps else []
    assert harness.rejections() == expected


@pytest.mark.parametrize("scope", [{"scope": "all", "scope_id": None}, {"scope": "category", "scope_id": "tea"}])
async def test_promotions_of_every_scope_can_overlap(scope: dict[str, Any], harness: HandlerHarness) -> None:
    await harness.handle(promotion("p1", **scope))
    await harness.handle(promotion("p2", **scope))
    assert harness.rejections() == [("PROMOTION_INVALID", {"promo_id": "p2", "overlaps": "p1"})]


async def test_a_promotion_that_ended_or_moved_away_makes_room_in_the_same_batch(harness: HandlerHarness) -> None:
    await harness.handle(promotion("p1"), promotion("p2", scope="all", scope_id=None))
    await harness.handle(
        promotion("p1", revision=2, kind="none"),
        promotion("p2", revision=2),
        promotion("p3", scope="all", scope_id=None),
    )
    assert harness.rejections() == []
    assert [(found.promo_id, found.scope) for found in await valid(harness)] == [("p2", "spu"), ("p3", "all")]


async def test_a_new_revision_does_not_overlap_with_the_one_it_replaces(harness: HandlerHarness) -> None:
    await harness.handle(promotion("p1"))
    await harness.handle(promotion("p1", revision=2, prices={"s1": 300}))
    assert [found.prices for found in await valid(harness)] == [{"s1": 300}]


async def test_a_refused_revision_changes_nothing_and_a_later_one_is_accepted(harness: HandlerHarness) -> None:
    await harness.handle(promotion("p1"))
    await harness.handle(promotion("p1", revision=2, prices={}), promotion("p1", revision=3, prices={"s1": 1}))
    assert [event["revision"] for event in harness.events_of("promotion.changed")] == [1, 3]


LIFTED = 2_147_483_647


async def quota(harness: HandlerHarness) -> tuple[int, int] | None:
    row = await harness.pool.fetchrow("SELECT quantity, sold FROM promotion_quotas")
    return None if row is None else (row["quantity"], row["sold"])


async def test_a_quantity_never_falls_below_what_is_sold_and_is_remembered_while_it_is_lifted(
    harness: HandlerHarness,
) -> None:
    def flash(revision: int, quantity: int | None) -> Message:
        return promotion(revision=revision, kind="flash", quantity=quantity)

    await harness.handle(flash(1, None))
    assert await quota(harness) == (LIFTED, 0)
    await harness.handle(flash(2, 10))
    assert await quota(harness) == (10, 0)
    await harness.pool.execute("UPDATE promotion_quotas SET sold = 7")
    await harness.handle(flash(3, 5))
    assert await quota(harness) == (7, 7)
    await harness.handle(flash(4, None))
    assert [found.quantity for found in await valid(harness)] == [None]
    await harness.pool.execute("UPDATE promotion_quotas SET sold = sold + 2")
    await harness.handle(promotion(revision=5, kind="none"))
    await harness.handle(flash(6, 20))
    assert await quota(harness) == (20, 9)
    assert [found.quantity for found in await valid(harness)] == [20]


async def test_a_quantity_that_comes_later_counts_what_orders_bought_before_it(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(promotion(kind="flash"))
    await harness.place_order(("s1", 3), price=400)
    await harness.handle(promotion(revision=2, kind="flash", quantity=2))
    assert await quota(harness) == (3, 3)


async def test_of_two_promotions_that_overlap_two_workers_accept_one(harness: HandlerHarness) -> None:
    await harness.handle_overlapping([promotion("p1")], [promotion("p2")], trusted=True)
    assert harness.rejections() == [("PROMOTION_INVALID", {"promo_id": "p2", "overlaps": "p1"})]


async def test_only_what_is_given_is_stored_and_the_next_revision_replaces_all_of_it(harness: HandlerHarness) -> None:
    await harness.handle(
        settings("seckill", payment_window_seconds=600, deduct_on="create", allow_coupon=False),
        settings("normal", rate_limit_orders=0),
        trusted=True,
    )
    assert await stored(harness) == {
        "seckill": {"payment_window_seconds": 600, "deduct_on": "create", "allow_coupon": False},
        "normal": {"rate_limit_orders": 0},
    }
    await harness.handle(settings("seckill", revision=2, units_max_per_line=2), trusted=True)
    assert (await stored(harness))["seckill"] == {"units_max_per_line": 2}


async def stored(harness: HandlerHarness) -> dict[str, dict[str, Any]]:
    async with harness.pool.acquire() as tx:
        return await catalogue_entries.read_policies(tx)


async def test_only_the_catalogue_role_changes_rules_and_only_of_types_that_there_are(harness: HandlerHarness) -> None:
    await harness.handle(settings("seckill", units_max_per_line=1), roles=frozenset(Role) - {Role.CATALOGUE})
    await harness.handle(settings("lottery", units_max_per_line=1), trusted=True)
    forbidden = ("AUTH_FORBIDDEN", {"roles": ["catalogue"]})
    assert harness.rejections() == [forbidden, ("ORDER_BUSINESS_TYPE_INVALID", {"field": "business_type"})]
    assert await stored(harness) == {}
    await harness.handle(settings("seckill", units_max_per_line=1), trusted=True)
    assert await stored(harness) == {"seckill": {"units_max_per_line": 1}}


RULES = ["payment_window_seconds", "units_max_per_line", "rate_limit_orders", "rate_limit_window_seconds"]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("number", [-1, 2**31])
def test_rules_out_of_range_are_no_message(name: str, number: int) -> None:
    with pytest.raises(ValidationError, match=name):
        settings("normal", **{name: number})


def test_every_rule_of_a_business_type_can_be_set_and_nothing_else() -> None:
    assert set(SettingsSet.model_fields) - {"business_type", "revision"} == set(POLICY_FIELDS)
    window = 30 * 86_400
    assert settings(payment_window_seconds=window).policy() == {"payment_window_seconds": window}
    with pytest.raises(ValidationError):
        settings(payment_window_seconds=window + 1)


@pytest.mark.parametrize("name", sorted(set(REVISIONED) - {"promotion"}))
async def test_two_workers_never_write_a_lower_revision_over_a_higher_one(name: str, harness: HandlerHarness) -> None:
    make, table, column = REVISIONED[name]
    with pytest.raises(ValueError, match="newer revision"):  # so the message is retried
        await harness.handle_overlapping([make(2)], [make(1)], trusted=True)
    assert [str(row[0]) for row in await harness.pool.fetch(f"SELECT {column} FROM {table}")] == ["2"]


async def test_a_promotion_of_a_lower_revision_is_not_written_even_without_the_lock(harness: HandlerHarness) -> None:
    await harness.handle(promotion(revision=2))
    async with harness.pool.acquire() as tx:
        with pytest.raises(ValueError, match="newer revision"):
            await promotions.upsert(tx, [promotion(revision=1)])


@pytest.mark.parametrize("name", REVISIONED)
async def test_of_two_workers_the_higher_revision_counts(name: str, harness: HandlerHarness) -> None:
    make, table, column = REVISIONED[name]
    await harness.handle_overlapping([make(1)], [make(2)], trusted=True)
    assert [str(row[0]) for row in await harness.pool.fetch(f"SELECT {column} FROM {table}")] == ["2"]
    assert [e["revision"] for e in harness.events_of(f"{name}.changed")] == [1, 2]
