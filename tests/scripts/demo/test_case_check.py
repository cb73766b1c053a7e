"""The check of cases sees each unit, each cent and each state that is not where the demo's people left it."""

from typing import Any, cast

import pytest

from db.pool import Pool
from scripts.demo.case_check import WHOLE, compare_cases, differences, missing_goods
from scripts.demo.wanted_goods import CHEAPER, KEEPS_BOTH
from tests.handlers.builders import create, receive, sku, update
from tests.handlers.case_builders import apply, arrive, end_refund, inspect, open_case, review, send_back, ship_back
from tests.handlers.harness import open_harness

RECORD = {"kind": WHOLE, "state": "completed", "units": 2, "found": {"restock": {"s1": 2}, "send_back": {"s2": 1}}}
ROW = {"state": "completed", "units": 2, "refund_amount": 500, "given": 500, "order_state": "cancelled", "kept": 0}
GOODS = {("restock", "s1"): 2}


def test_what_is_where_it_should_be_has_no_difference() -> None:
    assert differences(RECORD, ROW, GOODS) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"state": "closed", "given": 0}, "is closed, was announced completed"),
        ({"units": 1}, "1 units given back, of 2"),
        ({"given": 499}, "499 cents given back, of 500"),
        ({"kept": 7}, "everything came back, and its order is cancelled and keeps 7 cents"),
        ({"order_state": "completed"}, "everything came back, and its order is completed and keeps 0 cents"),
    ],
)
def test_a_row_that_differs_is_named(change: dict[str, Any], text: str) -> None:
    assert differences(RECORD, ROW | change, GOODS) == [text]


EXCHANGE = {"kind": CHEAPER, "state": "completed", "units": 0, "found": {}, "accepted": 1, "difference": -200}
EXCHANGED = ROW | {
    "units": 0, "replaced": 1, "refund_amount": None, "given": 0, "paid_on_top": 0, "given_of_difference": 200,
}  # fmt: skip


@pytest.mark.parametrize(
    ("of", "row", "texts"),
    [
        ({}, {}, []),
        ({"difference": 300}, {"paid_on_top": 300, "given_of_difference": 0}, []),
        ({}, {"replaced": 0, "units": 1, "given": 300, "refund_amount": 300}, []),
        ({}, {"units": 1}, ["1 units given back and 1 replaced, of 1"]),
        ({}, {"given_of_difference": 0}, ["0 cents of the difference given back, of 200"]),
        ({}, {"paid_on_top": 7}, ["its exchange order keeps 7 cents, of 0"]),
        (
            {"state": "revoked"},
            {"state": "revoked", "replaced": 0, "paid_on_top": 7},
            ["its exchange order keeps 7 cents, of 0"],
        ),
    ],
)
def test_an_exchange_ends_with_the_goods_or_with_the_money(
    of: dict[str, Any], row: dict[str, Any], texts: list[str]
) -> None:
    assert differences(EXCHANGE | of, EXCHANGED | row, {}) == texts


UNRETURNED = EXCHANGE | {"kind": KEEPS_BOTH, "state": "unreturned", "accepted": 0, "difference": None, "owed": 500}
OWING = EXCHANGED | {"state": "unreturned", "replaced": 0, "given_of_difference": 0, "owed": 500}


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ({}, []),
        ({"owed": 0}, ["its buyer owes 0 cents, was announced 500"]),
        ({"replaced": 1}, ["0 units given back and 1 replaced, of 0"]),
        ({"given_of_difference": 7}, ["7 cents given back to a buyer who owes money"]),
        ({"given": 7}, ["7 cents given back by a case that is unreturned"]),
    ],
)
def test_a_buyer_who_keeps_both_goods_owes_what_was_announced(row: dict[str, Any], texts: list[str]) -> None:
    assert differences(UNRETURNED, OWING | row, {}) == texts


@pytest.mark.parametrize("goods", [{}, {("restock", "s1"): 1}, {**GOODS, ("write_off", "s2"): 1}])
def test_goods_that_the_inspector_did_not_find_are_named(goods: dict[tuple[str, str], int]) -> None:
    assert len(differences(RECORD, ROW, goods)) == 1


@pytest.mark.parametrize(
    ("sent_back", "missing"),
    [
        ({("tea", "delivered"): 2}, 0),
        ({("tea", "delivered"): 1, ("tea", "loss_confirmed"): 1}, 0),
        ({}, 1),
        ({("tea", "unsent"): 2}, 1),
        ({("tea", "in_transit"): 2}, 1),
        ({("tea", "delivered"): 1}, 1),
        ({("cup", "delivered"): 2}, 1),
    ],
)
def test_refused_goods_that_did_not_reach_their_buyer_are_named(
    sent_back: dict[tuple[str, str], int], missing: int
) -> None:
    assert len(missing_goods({"tea": 2}, sent_back)) == missing


@pytest.fixture
def users_of_tests_are_the_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.demo.case_check.CROWD", "u")


@pytest.mark.usefixtures("users_of_tests_are_the_crowd")
async def test_refused_goods_are_looked_for_in_the_parcels_of_their_case(pool: Pool) -> None:
    harness = open_harness(pool)
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.deliver(order_id)
    case = await open_case(harness, apply(order_id, type="return_refund"))
    await harness.handle(review(case), ship_back(case), arrive(case), trusted=True)
    await harness.handle(inspect(case, (1, 1, "restock"), (1, 1, "send_back")))
    await end_refund(harness)
    found = {"restock": {"s1": 1}, "send_back": {"s1": 1}}
    record = {"case_id": case["case_id"], "kind": "", "state": "completed", "units": 1, "found": found}

    async def missing() -> list[str]:
        async with pool.acquire() as session:
            return (await compare_cases(cast(Any, session), [record])).differences

    assert [text.rpartition(" as ")[2] for text in await missing()] == ["{'unsent': 1}"]
    await harness.handle(send_back(case), trusted=True)
    assert [text.rpartition(" as ")[2] for text in await missing()] == ["{'booked': 1}"]
    await harness.handle(update(order_id, "R1", "delivered"))
    assert await missing() == []


async def test_a_persons_own_case_is_none_of_the_demos(pool: Pool) -> None:
    harness = open_harness(pool)
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.deliver(order_id)
    await open_case(harness, apply(order_id))
    async with pool.acquire() as session:
        assert (await compare_cases(cast(Any, session), [])).differences == []


@pytest.mark.usefixtures("users_of_tests_are_the_crowd")
async def test_a_part_of_a_split_order_that_came_back_whole_keeps_nothing(pool: Pool) -> None:
    """Its money was captured with its parent's."""
    harness = open_harness(pool)
    await harness.handle(*(sku(name, price=500, seller_id=name) for name in ("s1", "s2")))
    await harness.handle(*(receive(name, 10) for name in ("s1", "s2")))
    root = await harness.create_order(create(("s1", 2), ("s2", 1)))
    await harness.pay(root)
    [first, _] = await harness.children(root)
    await harness.deliver(first)
    case = await open_case(harness, apply(first, type="return_refund"))
    await harness.handle(review(case), ship_back(case), arrive(case), trusted=True)
    await harness.handle(inspect(case, (1, 2, "restock")))
    await end_refund(harness)
    record = {
        "case_id": case["case_id"],
        "kind": WHOLE,
        "state": "completed",
        "units": 2,
        "found": {"restock": {"s1": 2}},
    }
    async with pool.acquire() as session:
        found = await compare_cases(cast(Any, session), [record])
    assert (found.differences, found.units, found.cents) == ([], 2, 1000)
