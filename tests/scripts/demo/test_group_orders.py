"""Some buyers of the demo order in groups, and the check sees each group that is neither all nor none."""

from pathlib import Path
from typing import Any

import pytest

from scripts.amqp_client import ReceivedMessage
from scripts.demo.baskets import USD, Basket
from scripts.demo.coupons import Coupon
from scripts.demo.group_check import compare_groups
from scripts.demo.group_orders import ENTRIES, SIZE, TEAMS, GroupOrders

BASKETS = [
    Basket(
        str(n), f"{n // 2}", 1, ((f"tea-{n}", 2),), Coupon("c", "1.00 off", 100, ()), currency=USD if n == 1 else "CNY"
    )
    for n in range(2 * ENTRIES)
]


def event(type_: str, **body: Any) -> ReceivedMessage:
    return ReceivedMessage(type_, body, "m-1")


def test_teams_of_one_currency_order_one_product_and_nobody_orders_twice() -> None:
    orders = GroupOrders()
    entries = orders.in_teams([(basket,) for basket in BASKETS])
    first, second = [entry for entry in entries if entry[0].group_id is not None]
    assert (len(first), len(second)) == TEAMS[:2]
    assert {basket.lines for basket in first} == {(("tea-0", 1),)}
    assert (len({basket.user for basket in first}), {basket.currency for basket in first}) == (SIZE, {"CNY"})
    assert all(basket.coupon is None for basket in first)
    ordered = [basket.basket_id for entry in entries for basket in entry]
    assert sorted(ordered) == sorted(basket.basket_id for basket in BASKETS)
    assert orders.in_teams([]) == []


def group(
    outcome: str, *states: tuple[str, str], reason: str | None = None, contrary: str = ""
) -> list[dict[str, Any]]:
    """The record of a group with orders that went through these two states, the last for a reason."""
    orders = GroupOrders()
    team = next(entry for entry in orders.in_teams([(basket,) for basket in BASKETS]) if entry[0].group_id is not None)
    for number, (basket, (before, state)) in enumerate(zip(team, states, strict=True)):
        about = {"order_id": str(number), "request_id": f"basket-{basket.basket_id}-0"}
        orders.receive(event("order.created.v1", **about, state=before, version=1))
        orders.receive(event("order.changed.v1", **about, state=state, version=2, reason_code=reason))
    named, paid = [str(number) for number in range(SIZE)], SIZE if outcome == "formed" else SIZE - 1
    assert (orders.open, len(orders.stuck())) == (1, 1)
    if outcome:
        for _ in range(2):
            orders.receive(event(f"group.{outcome}.v1", group_id=team[0].group_id, paid=paid, order_ids=named))
        assert (orders.open, orders.did[f"groups that {outcome}"]) == (0, 1)
    if contrary:
        orders.receive(event(contrary, group_id=team[0].group_id, paid=paid, order_ids=named))
    return orders.records()


SHIPPED, CANCELLED, CHANGED_MIND = ("fulfilling", "completed"), ("paid", "cancelled"), ("shipped", "cancelled")


@pytest.mark.parametrize(
    ("records", "kept", "faults"),
    [
        (group("formed", SHIPPED, SHIPPED, CHANGED_MIND), {"0": 5, "1": 5}, []),
        (group("formed", SHIPPED, SHIPPED, ("paid", "paid")), {}, ["formed, and its order 2 has not left"]),
        (group("formed", SHIPPED, SHIPPED, CANCELLED, reason="group_failed"), {},
         ["formed, and cancelled its order 2"]),
        (group("failed", CANCELLED, CANCELLED, CANCELLED), {}, []),
        (group("failed", CANCELLED, CANCELLED, CANCELLED), {"1": 5}, ["its order 1 keeps 5 cents"]),
        (group("failed", CANCELLED, CANCELLED, CHANGED_MIND), {}, ["a warehouse got its order 2"]),
        (group("failed", CANCELLED, CANCELLED, ("paid", "paid")), {}, ["its order 2 is paid"]),
        (group("", CANCELLED, CANCELLED, CANCELLED), {}, ["has not ended"]),
        ([group("formed", SHIPPED, SHIPPED, SHIPPED)[0] | {"paid": 2}], {},
         ["formed with 2 paid of 3 orders, and has 3 seats"]),
        ([group("failed", CANCELLED, CANCELLED, CANCELLED)[0] | {"paid": 3}], {},
         ["failed, and all 3 of its seats are paid"]),
        (group("formed", SHIPPED, SHIPPED, SHIPPED, contrary="group.failed.v1"), {},
         ["ended with group.formed.v1 and group.failed.v1"]),
    ],
)  # fmt: skip
def test_a_group_that_is_neither_all_nor_none_is_named(
    records: list[dict[str, Any]], kept: dict[str, int], faults: list[str], tmp_path: Path
) -> None:
    receipts = tmp_path / "receipts.csv"
    paid = [
        f"pay,{order_id},{sign}T{order_id},{sign}{cents}\n" for order_id, cents in kept.items() for sign in ("", "-")
    ]
    receipts.write_text("".join([*paid, *(f"pay,{order_id},U,{cents}\n" for order_id, cents in kept.items())]))
    found = compare_groups(records, receipts)
    assert found.differences == [f"team-0: {text}" for text in faults]
    assert found.orders == SIZE
