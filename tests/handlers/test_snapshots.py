"""An order keeps the terms under which it was placed, also when the catalogue, the coupon or the rules change later."""

from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from db.statements import SQL
from tests.handlers.builders import create, receive, sku
from tests.handlers.catalogue_builders import NOW, coupon, grant, promotion, template
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.money import Rounding
from workers.domain.shop import Policy, Shop

COUPON, AMOUNT, ITEM, RULES = 1, 2, 3, 5
PROMO_ID = "p1"


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """s1 and s2 for 500, shipping for 77; s1 for 400 until tomorrow; a coupon for 100 and 1000 points."""
    fees = dict.fromkeys(("CNY", "JPY", "EUR", "KWD"), 77)
    shop.configure(Shop(shipping_fee_minor_units=fees, policy=Policy(rate_limit_orders=0)))
    await harness.fill_stock()
    await harness.handle(
        template(scope="sku", scope_ids=("s1",), min_amount=300), coupon(), grant(), promotion(PROMO_ID)
    )
    return harness


async def whole(harness: HandlerHarness, request_id: str = "r1") -> int:
    """An order with everything that an order can have."""
    fields: dict[str, Any] = {"coupon_id": "c1", "use_points": 200, "expected_pay_amount": 1177}
    return await harness.create_order(create(("s1", 1), ("s2", 2), request_id=request_id, **fields))


async def snapshots(harness: HandlerHarness, order_id: int) -> dict[int, Any]:
    rows = await harness.rows("SELECT type, data FROM snapshots WHERE order_id = $1 ORDER BY type", order_id)
    return {type_: orjson.loads(data) for type_, data in rows}


async def test_there_are_two_and_a_third_with_a_coupon_and_one_more_with_a_promotion(harness: HandlerHarness) -> None:
    plain = await harness.create_order(create(("s2", 1), expected_pay_amount=577))
    promoted = await harness.create_order(create(("s1", 1), request_id="r2", expected_pay_amount=477))
    kept = [await snapshots(harness, order_id) for order_id in (plain, promoted, await whole(harness, "r3"))]
    assert [list(one) for one in kept] == [[AMOUNT, ITEM], [AMOUNT, ITEM, RULES], [COUPON, AMOUNT, ITEM, RULES]]


async def test_snapshots_record_what_was_sold_at_which_price_by_which_rules(harness: HandlerHarness) -> None:
    kept = await snapshots(harness, await whole(harness))
    assert kept[COUPON] == {
        "coupon_id": "c1",
        "name": "Template t1",
        "face": 100,
        "amount": 100,
        "min_amount": 300,
        "scope": "sku",
        "scope_ids": ["s1"],
    }
    assert kept[AMOUNT] == {
        "currency": "CNY",
        "origin": 1500,
        "promotion": 100,
        "coupon": 100,
        "points": 200,
        "shipping": 77,
        "tax": 0,
        "payable": 1177,
        "stages": ["promotion", "coupon", "points", "shipping", "tax"],
        "rounding": {"discount": "half_even", "tax": "half_up"},
    }
    assert [(line["name"], line["qty"], line["unit_price"]) for line in kept[ITEM]] == [
        ("Product s1", 1, 500),
        ("Product s2", 2, 500),
    ]
    assert sum(line["payable"] for line in kept[ITEM]) == 1177
    assert [(rule["promo_id"], rule["revision"], rule["amount"]) for rule in kept[RULES]] == [(PROMO_ID, 1, 100)]


async def test_a_product_renamed_dearer_and_off_sale_is_what_it_was_in_its_order(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(create(("s1", 1), expected_pay_amount=477))
    before = await harness.rows("SELECT * FROM order_items"), await snapshots(harness, order_id)
    await harness.handle(
        sku(revision=2, name="Renamed", price=9, status="off_sale", specs={"size": "XL"}, seller_id="new")
    )
    assert (await harness.rows("SELECT * FROM order_items"), await snapshots(harness, order_id)) == before
    [(name, price)] = await harness.rows("SELECT name, unit_price FROM order_items")
    assert (name, price) == ("Product s1", 500)
    await harness.pay(order_id)
    assert await harness.states() == ["paid"]


async def test_an_order_keeps_its_tax_rate_and_the_rule_that_rounded_it(harness: HandlerHarness) -> None:
    """Even if the shop rounds otherwise later, the audit recomputes each tax by the order's own rule."""
    rates, orders = {"standard": 1900}, dict[str, int]()
    await harness.handle(sku("desk", price=78_750))
    await harness.handle(receive("desk", 9))
    for rounding, tax in (("half_up", 14963), ("half_even", 14962)):
        rule = Rounding(rounding)
        taxes: dict[str, Any] = {"tax_rates_by_country_basis_points": {"CN": rates}, "tax_rounding": rule}
        shop.configure(Shop(**taxes, policy=Policy(rate_limit_orders=0)))
        body = create(("desk", 1), request_id=rounding, expected_pay_amount=78_750 + tax)
        orders[rounding] = await harness.create_order(body)
    for rounding, order_id in orders.items():
        kept = await snapshots(harness, order_id)
        assert kept[AMOUNT]["rounding"] == {"discount": "half_even", "tax": rounding}
        assert [(line["tax"], line["tax_basis_points"]) for line in kept[ITEM]] == [(kept[AMOUNT]["tax"], 1900)]
    async with harness.pool.acquire() as tx:
        row = await tx.fetchrow(SQL["audit.taxes"])
    assert row is not None
    assert row["violations"] == 0


async def test_an_order_shows_the_specs_and_the_picture_its_product_had(harness: HandlerHarness) -> None:
    await harness.handle(
        sku("s2", revision=2, specs={"colour": "红", "size": "M"}, image_url="https://img/1.png", unit="box")
    )
    kept = await snapshots(harness, await harness.create_order(create(("s2", 1), expected_pay_amount=577)))
    [line] = kept[ITEM]
    assert (line["specs"], line["image_url"], line["unit"]) == (
        {"colour": "红", "size": "M"},
        "https://img/1.png",
        "box",
    )


async def test_a_coupon_keeps_its_terms_when_its_template_changes_and_so_does_its_order(
    harness: HandlerHarness,
) -> None:
    before = await snapshots(harness, await whole(harness))
    await harness.handle(coupon("c2"))
    await harness.handle(template(revision=2, name="Stingy", amount=1, valid_to=NOW + timedelta(minutes=5)))
    assert await harness.rows("SELECT coupon_id, name, amount FROM coupons ORDER BY 1") == [
        ("c1", "Template t1", 100),
        ("c2", "Template t1", 100),
    ]
    order_id = await harness.create_order(create(("s1", 1), request_id="r2", coupon_id="c2", expected_pay_amount=377))
    after = await snapshots(harness, order_id)
    assert {**after[COUPON], "coupon_id": "c1"} == before[COUPON]


async def test_a_promotion_that_changes_leaves_orders_at_its_old_revision(harness: HandlerHarness) -> None:
    first = await harness.create_order(create(("s1", 1), expected_pay_amount=477))
    await harness.handle(promotion(PROMO_ID, revision=2, prices={"s1": 250}))
    second = await harness.create_order(create(("s1", 1), request_id="r2", expected_pay_amount=327))
    rows = await harness.rows(
        "SELECT order_id, promotion_id, promotion_revision, promotion_amount FROM order_items ORDER BY 1"
    )
    assert rows == [(first, PROMO_ID, 1, 100), (second, PROMO_ID, 2, 250)]
    assert [(await snapshots(harness, key))[RULES][0]["revision"] for key in (first, second)] == [1, 2]


async def test_of_a_split_order_each_child_has_two_and_the_parent_all(harness: HandlerHarness) -> None:
    await harness.handle(sku("s2", revision=2, product_type="virtual"))
    root = await whole(harness)
    assert list(await snapshots(harness, root)) == [COUPON, AMOUNT, ITEM, RULES]
    kept = [await snapshots(harness, child) for child in await harness.children(root)]
    assert [list(one) for one in kept] == [[AMOUNT, ITEM], [AMOUNT, ITEM]]
    assert [[line["sku_id"] for line in one[ITEM]] for one in kept] == [["s1"], ["s2"]]
    terms = ("origin", "promotion", "coupon", "points", "shipping", "tax", "payable")
    parents = (await snapshots(harness, root))[AMOUNT]
    assert {term: sum(one[AMOUNT][term] for one in kept) for term in terms} == {term: parents[term] for term in terms}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE order_snapshots SET data = '{}'",
        "UPDATE orders SET tax_amount = tax_amount",
        'UPDATE orders SET policy = \'{"deduct_on": "ship"}\'',
        "UPDATE order_items SET name = 'Renamed'",
        'UPDATE order_items SET specs = \'{"size": "XL"}\'',
        "UPDATE operate_logs SET pre_state = 'paid'",
        "UPDATE coupon_ledger SET op = 'return'",
        "DELETE FROM coupon_ledger",
        "UPDATE points_ledger SET points = 0",
        "DELETE FROM points_ledger",
        "UPDATE stock_ledger SET qty = 1",
        "DELETE FROM stock_ledger",
    ],
)
async def test_history_cannot_be_rewritten_in_the_database(harness: HandlerHarness, change: str) -> None:
    await whole(harness)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await harness.pool.execute(change)


@pytest.mark.parametrize(("currency", "price"), [("JPY", 333), ("EUR", 3333), ("KWD", 33_333)])
async def test_amounts_are_exact_in_currencies_of_any_number_of_decimals(
    harness: HandlerHarness, currency: str, price: int
) -> None:
    await harness.handle(*(sku(name, currency=currency, price=price) for name in ("x1", "x2", "x3")))
    await harness.handle(*(receive(name, 9) for name in ("x1", "x2", "x3")))
    await harness.handle(template("t2", amount=100, currency=currency), coupon("c2", template_id="t2"))
    body = create(
        ("x1", 1), ("x2", 1), ("x3", 1), currency=currency, coupon_id="c2", expected_pay_amount=3 * price - 100 + 77
    )
    order_id = await harness.create_order(body)
    parts = await harness.rows("SELECT coupon_amount, shipping_share FROM order_items ORDER BY line_no")
    assert parts == [(34, 25), (33, 26), (33, 26)]
    assert (await snapshots(harness, order_id))[AMOUNT]["currency"] == currency
    assert {event["amounts"]["currency"] for event in harness.events_of("order.created")} == {currency}
