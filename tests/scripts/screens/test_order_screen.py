"""The screens of an order, made from the examples of the wire: no width, text or amount breaks them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from messages.base import MoneyShown
from messages.explanations import OrderExplained
from messages.order_history import OrderHistoryListed
from messages.order_queries import OrderDescribed
from scripts.screens.explanation_screen import explanation_screen
from scripts.screens.order_loading import OrderPage
from scripts.screens.order_screen import AWAITED_MAX, order_screen
from scripts.screens.timeline import timeline_screen
from tests.golden.examples import raw

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ORDER = OrderDescribed.model_validate_json(raw("order.described.v1"))
EXPLAINED = OrderExplained.model_validate_json(raw("order.explained.v1"))
STEPS = OrderHistoryListed.model_validate_json(raw("order.history_listed.v1")).steps
WORST = "夜\u202e\x1b[31m" * 30 + "x" * 64
WIDTHS = (40, 80, 120, 200)


def waybill(order_id: int) -> dict[str, Any]:
    times = {"requested_at": NOW, "answered_at": NOW + timedelta(seconds=1), "ship_time": None}
    names = {"order_id": order_id, "waybill_id": 2**58, "carrier": "sf", "tracking_no": None}
    return {**names, **times, "state": "refused", "refusal": "ADDRESS_UNREACHABLE"}


def notification(order_id: int) -> dict[str, Any]:
    about = {"order_id": order_id, "notification_id": 7, "medium": "email", "kind": "order_paid", "attempts": 1}
    return about | {"state": "failed", "reason": "SMTP_550", "created_at": NOW, "ended_at": NOW}


def page_of(**changes: Any) -> OrderPage:
    """A page of the examples, with these changes of the order."""
    order = ORDER.model_copy(update=changes)
    records = {"waybills": [waybill(order.order_id)], "notifications": [notification(order.order_id)]}
    return OrderPage(NOW, order, EXPLAINED, {order.order_id: STEPS}, records=records)


def screens(page: OrderPage, width: int) -> dict[str, list[str]]:
    lines = {
        "show": order_screen(page, width),
        "timeline": timeline_screen(page, width),
        "explain": explanation_screen(page, width),
    }
    return {name: [line.plain for line in each] for name, each in lines.items()}


def text_of(page: OrderPage, name: str, width: int = 200) -> str:
    return "\n".join(screens(page, width)[name])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lines": (), "payments": (), "attempts": (), "refunds": (), "parcels": (), "address": None},
        {"lines": tuple(ORDER.lines[0].model_copy(update={"line_no": no, "name": WORST}) for no in range(1, 201))},
        {"parcels": tuple(ORDER.parcels[0].model_copy(update={"tracking_no": WORST[-64:]}) for _ in range(3))},
        {"user_id": WORST[-64:], "request_id": "r" * 128, "order_no": None, "reason_code": WORST},
        {"payable": MoneyShown(minor=2**63 - 1, currency="KWD", text="9223372036854775.807"), "deleted": True},
    ],
    ids=["plain", "empty", "200 lines", "long parcels", "long names", "much money"],
)
def test_no_line_is_wider_than_the_screen_or_moves_the_cursor(changes: dict[str, Any], width: int) -> None:
    for lines in screens(page_of(**changes), width).values():
        assert [line for line in lines if cell_len(line) > width or not line.isprintable()] == []


def test_everything_that_belongs_to_an_order_is_on_its_screen() -> None:
    shown = text_of(page_of(), "show")
    for part in (
        "15.00 CNY to pay, 15.00 CNY captured",
        *("379226153377300481", "2026112222001", "R379226153377300482", "SF1234567890", "Hangzhou", "tea-1"),
        *("288230376151711744", "ADDRESS_UNREACHABLE", "notifications to the buyer", "SMTP_550"),
        "waits for  sf to bring parcel SF1234567890 with the goods of case 202611229000000001 to the warehouse",
        "; its after_sale timer was cancelled by ana, until",
        "closed: oms repair --order 379226153377300480",
        "team-42: open, 1 of 3 paid, 2 seated, until 2026-11-23 10:00:00Z (in 10 h), then it is cancelled",
        "note       The buyer wants one parcel only.",
    ):
        assert part in shown


def test_goods_that_have_not_left_show_until_when_they_are_promised_to() -> None:
    promised = "promised   to leave until 2026-11-24 10:00:00Z (in 1 d 10 h)"
    assert promised in text_of(page_of(shipped_at=None, cancelled_at=None), "show")
    for time in ("shipped_at", "cancelled_at"):
        assert "promised" not in text_of(page_of(**{"shipped_at": None, "cancelled_at": None, time: NOW}), "show")


def test_a_timeline_is_in_the_order_of_its_happening() -> None:
    lines = screens(page_of(), 200)["timeline"]
    times = [line[:19] for line in lines if line.startswith("2026")]
    assert times == sorted(times)
    shown = "\n".join(lines)
    for part in (
        "attempt to pay 15.00 CNY",
        "refund of 0.00 CNY requested",
        "waybill: refused (ADDRESS_UNREACHABLE)",
        "email to the buyer, order_paid: failed (SMTP_550)",
    ):
        assert part in shown


def test_a_parcel_with_a_part_of_the_order_names_its_lines() -> None:
    assert "  all  " in text_of(page_of(), "show")
    more = ORDER.lines[0].model_copy(update={"line_no": 2})
    assert "2 of line 1" in text_of(page_of(lines=(*ORDER.lines, more)), "show")


def test_what_the_buyer_does_not_get_stands_beside_its_line() -> None:
    line = ORDER.lines[0].model_copy(update={"short_qty": 1, "refunded_qty": 2, "refunded": 1500})
    assert "1 short, 2 refunded, worth 15.00" in text_of(page_of(lines=(line,)), "show")


def test_cost_and_margin_stand_beside_a_line_of_which_they_are_known() -> None:
    line = ORDER.lines[0].model_copy(update={"purchase_price": 321, "margin": -45})
    known = text_of(page_of(lines=(line,)), "show")
    unknown = text_of(page_of(lines=(line.model_copy(update={"purchase_price": None, "margin": None}),)), "show")
    words = ("cost each", "margin", "3.21", "-0.45")
    assert [word in known for word in words] == [True] * 4
    assert [word in unknown for word in words] == [False] * 4


def test_the_price_says_how_it_came_about() -> None:
    assert "price" not in text_of(page_of(), "show")
    amounts = ORDER.amounts.model_copy(update={"coupon": 300, "shipping": 501})
    assert "price      goods 15.00 - coupon 3.00 + shipping 5.01" in text_of(page_of(amounts=amounts), "show")


def test_much_that_is_awaited_is_shortened_on_the_first_screen_only() -> None:
    many = EXPLAINED.model_copy(update={"awaits": EXPLAINED.awaits * (AWAITED_MAX + 3)})
    page = replace(page_of(), explained=many)
    assert text_of(page, "show").count("sf to bring parcel") == AWAITED_MAX
    assert f"and 3 more: oms order explain {ORDER.order_id}" in text_of(page, "show")
    assert text_of(page, "explain").count("sf to bring parcel") == AWAITED_MAX + 3


def test_an_address_in_clear_says_that_the_look_is_recorded() -> None:
    clear = {"receiver": "Wang Fang", "detail": "Nanjing Road 1"}
    page = replace(page_of(), address=clear, note="call 13812345678")
    shown = text_of(page, "show")
    assert "address    Wang Fang, Nanjing Road 1; that you saw it is recorded" in shown
    assert "note       call 13812345678" in shown
    document = page.document()
    assert (document["address"]["detail"], document["note"]) == ("Nanjing Road 1", "call 13812345678")
    bare = replace(page_of(address=None, note=None), address={})
    assert bare.document()["address"] is None, "it was deleted after its retention"
    assert ORDER.address is not None
    moved = page_of(address=ORDER.address.model_copy(update={"changes": 1}))
    assert "(changed 1 time)" in text_of(moved, "show")
