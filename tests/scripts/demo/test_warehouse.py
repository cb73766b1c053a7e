"""The demo's warehouse works from its queue alone; labels and reads are compared with what buyers know."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.amqp_client import OutgoingMessage, ReceivedMessage
from scripts.demo import operators, order_reads, parcel_bookings, warehouse
from scripts.demo.client_job import WAREHOUSES
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.goods_places import lists_of_regions, own_list, places_of
from scripts.demo.operators import Operators
from scripts.demo.order_reads import OrderReads
from scripts.demo.parcel_bookings import ParcelBookings
from scripts.demo.parcel_labels import ParcelLabels
from scripts.demo.purchase import MOVED, address
from scripts.demo.warehouse import Warehouse

HOME = address("7") | {"street": None}
LINE = {"line_no": 1, "sku_id": "tea", "name": "tea", "qty": 2}


class FakeShop:
    """An order system that accepts every step, and refuses the first bookings with the given codes."""

    def __init__(self, *refusals: str) -> None:
        self.sent: list[str] = []
        self.carried: list[str] = []
        self.answers = True
        self.plans: list[dict[str, Any]] = []
        self.labels = ParcelLabels()
        self.works: list[asyncio.Task[None]] = []
        self._refusals = list(refusals)
        carrier: Any = SimpleNamespace(carry=self.carry)
        tasks: Any = SimpleNamespace(start=lambda work: self.works.append(asyncio.ensure_future(work)))
        link: Any = self
        browser: Any = SimpleNamespace(label=self.label)
        self.outcomes = CommandOutcomes()
        self.bookings = ParcelBookings(link, self.outcomes, browser)
        self.warehouse = Warehouse(
            link, tasks, self.outcomes, carrier, self.labels, name="east", bookings=self.bookings
        )

    async def carry(self, order_id: str, _tracking_no: str, _carrier: str) -> None:
        self.carried.append(order_id)

    async def label(self, _carrier: str, _tracking_no: str) -> dict[str, Any]:
        return {"detail": "printed by the carrier"}

    async def send(self, message: OutgoingMessage) -> None:
        assert not isinstance(message.body, bytes)
        self.sent.append(message.type.removesuffix(".v1"))
        body = dict(message.body)
        if message.type == "shipment.book.v1":
            code = {"code": self._refusals.pop(0)} if self._refusals else {}
            self.plans.append(body)
            if self.answers:
                self.bookings.receive(ReceivedMessage("shipment.booked.v1", body | code, ""))
        elif message.type == "shipment.create.v1":
            self.plans.append(body)
            no = {"code": "NO", "details": {"carrier_code": "NO"}} if self._refusals and self._refusals.pop(0) else {}
            self.outcomes.receive(
                ReceivedMessage("shipment.booked.v1", body | {"tracking_no": "A1"} | no, message.message_id)
            )
        elif message.type == "after_sale.send_back.v1":
            code = {"code": self._refusals.pop(0)} if self._refusals else {}
            self.outcomes.receive(ReceivedMessage("send_back.shipped.v1", body | code, message.message_id))
        elif message.type == "fulfilment.accept.v1":
            self.warehouse.receive(ReceivedMessage("fulfilment.updated.v1", body | {"state": "accepted"}, ""))

    def instruct(self, what: str, number: int = 1, **more: Any) -> None:
        about = {"order_id": "1", "warehouse": "east", "number": number} | more
        self.warehouse.receive_instruction(ReceivedMessage(f"fulfilment.{what}.v1", about, ""))

    async def finish(self) -> None:
        while any(not work.done() for work in self.works):
            await asyncio.gather(*self.works)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing happens by chance, and there is no wait."""
    for module in (warehouse, order_reads, operators):
        monkeypatch.setattr(module, "CHANCES", dict.fromkeys(module.CHANCES, 0.0))
    for module in (warehouse, parcel_bookings):
        monkeypatch.setattr(module, "TWICE", 0.0)
    monkeypatch.setattr(warehouse, "BOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)


WAY = ["fulfilment.accept", "fulfilment.pick", "fulfilment.pack", "shipment.book", "fulfilment.hand_over"]


async def test_a_request_is_shipped_with_its_address_on_the_label() -> None:
    shop = FakeShop()
    shop.instruct("requested", lines=[LINE], address=HOME)
    await shop.finish()
    assert (shop.sent, shop.carried) == (WAY, ["1"])
    assert list(shop.labels.printed.values()) == [(("1",), HOME)]


@pytest.mark.parametrize("refusals", [(), ("AFTERSALE_STATE_INVALID",)])
async def test_goods_of_a_case_go_back_to_the_address_of_their_instruction_once(refusals: tuple[str, ...]) -> None:
    shop = FakeShop(*refusals)
    for _ in range(2):
        shop.instruct("send_back", case_id="9", lines=[LINE], address=HOME)
    await shop.finish()
    assert (shop.sent, shop.carried) == (["after_sale.send_back"], [] if refusals else ["1"])
    assert list(shop.labels.printed.values()) == ([] if refusals else [(("1",), HOME)])


async def test_a_carrier_prints_the_label_or_the_warehouse_books_under_its_own_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(warehouse.CHANCES, "books at a carrier", 1.0)
    for refusals, label in (((), {"detail": "printed by the carrier"}), (("NO",), HOME)):
        shop = FakeShop(*refusals)
        shop.instruct("requested", lines=[LINE], address=HOME)
        await shop.finish()
        assert list(shop.labels.printed.values()) == [(("1",), label)]
        assert shop.sent.count("shipment.create") == 1


async def test_orders_to_one_address_leave_in_one_parcel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order 3 goes elsewhere."""
    monkeypatch.setitem(warehouse.CHANCES, "waits for other orders to the address", 1.0)
    shop = FakeShop()
    for order_id, place in (("1", HOME), ("2", HOME), ("3", address(MOVED))):
        shop.instruct("requested", lines=[LINE], address=place, order_id=order_id)
    await shop.finish()
    assert sorted(sorted({plan["order_id"], *plan["order_ids"]}) for plan in shop.plans) == [["1", "2"], ["3"]]
    assert sorted(sorted(order_ids) for order_ids, _ in shop.labels.printed.values()) == [["1", "2"], ["3"]]
    assert shop.sent.count("fulfilment.hand_over") == 3


async def test_an_order_in_a_parcel_with_others_is_not_taken_out_to_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parcel could leave, with its goods on paper, before the order system has taken them out."""
    for what in ("waits for other orders to the address", "stops to cancel"):
        monkeypatch.setitem(warehouse.CHANCES, what, 1.0)
    shop = FakeShop()
    shop.answers = False
    for order_id in ("1", "2"):
        shop.instruct("requested", lines=[LINE], address=HOME, order_id=order_id)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(shop.plans) == 1
    shop.instruct("cancel_requested", cancel_no=5)
    for _ in range(20):
        await asyncio.sleep(0)
    assert shop.sent[-1] == "fulfilment.cancel_refused"
    shop.bookings.receive(ReceivedMessage("shipment.booked.v1", shop.plans[0], ""))
    await shop.finish()
    assert [sorted(order_ids) for order_ids, _ in shop.labels.printed.values()] == [["1", "2"]]


async def test_orders_that_may_not_share_a_parcel_leave_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(warehouse.CHANCES, "waits for other orders to the address", 1.0)
    shop = FakeShop("LOGISTICS_BOOKING_FAILED")
    for order_id in ("1", "2"):
        shop.instruct("requested", lines=[LINE], address=HOME, order_id=order_id)
    await shop.finish()
    assert sorted(order_ids for order_ids, _ in shop.labels.printed.values()) == [("1",), ("2",)]
    assert sorted(shop.carried) == ["1", "2"]


async def test_a_held_order_is_booked_again_until_it_is_released_and_another_refusal_ends_the_work() -> None:
    held, gone = FakeShop("ORDER_HELD", "ORDER_HELD"), FakeShop("ORDER_STATE_INVALID")
    for shop in (held, gone):
        shop.instruct("requested", lines=[LINE], address=HOME)
        await shop.finish()
    assert (held.sent.count("shipment.book"), held.carried) == (3, ["1"])
    assert (gone.sent.count("shipment.book"), gone.carried) == (1, [])


async def test_a_hold_stops_the_work_until_its_release_comes() -> None:
    shop = FakeShop()
    shop.instruct("requested", lines=[LINE], address=HOME)
    shop.instruct("held", reason_code="FRAUD")
    for _ in range(50):
        await asyncio.sleep(0)
    assert (shop.sent, shop.carried) == (WAY[:3], [])
    shop.instruct("released")
    await shop.finish()
    assert (shop.sent, shop.carried) == (WAY, ["1"])


async def test_nothing_leaves_after_a_withdrawal_and_a_newer_request_replaces_the_work() -> None:
    shop, moved = FakeShop(), address(MOVED)
    shop.instruct("requested", lines=[LINE], address=HOME)
    shop.instruct("requested", number=2, lines=[LINE], address=moved)
    await shop.finish()
    assert [address_ for _, address_ in shop.labels.printed.values()] == [moved]
    shop = FakeShop()
    shop.instruct("requested", lines=[LINE], address=HOME)
    shop.instruct("withdrawn")
    await shop.finish()
    assert (shop.sent, shop.carried) == ([], [])


async def test_a_cancellation_is_refused_once_a_parcel_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(warehouse.CHANCES, "stops to cancel", 1.0)
    shop = FakeShop()
    shop.instruct("requested", lines=[LINE], address=HOME)
    await shop.finish()
    shop.instruct("cancel_requested", cancel_no=5)
    await shop.finish()
    assert shop.sent[-1] == "fulfilment.cancel_refused"
    early = FakeShop()
    early.instruct("requested", lines=[LINE], address=HOME)
    early.instruct("cancel_requested", cancel_no=5)
    await early.finish()
    assert (early.sent, early.carried) == (["fulfilment.cancel_accepted"], [])


@pytest.mark.parametrize(
    ("warehouse_", "sku_id", "misled"), [("east", "tea", 0), ("west", "tea", 1), ("east", "15", 1)]
)
async def test_an_instruction_for_another_warehouse_or_for_goods_that_lie_elsewhere_is_recorded(
    warehouse_: str, sku_id: str, misled: int
) -> None:
    """The product 15 lies in the west alone."""
    shop = FakeShop()
    shop.instruct("requested", warehouse=warehouse_, lines=[LINE | {"sku_id": sku_id}], address=HOME)
    await shop.finish()
    assert len(shop.warehouse.misled) == misled


def test_every_list_has_a_warehouse_that_has_the_product() -> None:
    """And each kind of product occurs: in the east alone, in the west alone, in both."""
    lists = {(body.get("province"), body["warehouses"]) for body in map(body_of, lists_of_regions())}
    assert lists == {(None, WAREHOUSES), ("CA", WAREHOUSES[::-1])}
    kinds = Counter(places_of(str(number)) for number in range(1000))
    assert set(kinds) == {("east",), ("west",), ("east", "west")}
    for number in range(1000):
        own = own_list(str(number))
        assert (own is not None) == (places_of(str(number)) == ("west",))
        assert own is None or body_of(own)["warehouses"] == ("west",)


def body_of(message: OutgoingMessage) -> Mapping[str, Any]:
    assert not isinstance(message.body, bytes)
    return message.body


async def test_a_warehouse_answers_a_cancellation_once_its_booking_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the parcel would be booked after the order system has taken the goods out of the others."""
    monkeypatch.setitem(warehouse.CHANCES, "stops to cancel", 1.0)
    shop = FakeShop()
    shop.answers = False
    shop.instruct("requested", lines=[LINE], address=HOME)
    for _ in range(50):
        await asyncio.sleep(0)
    shop.instruct("cancel_requested", cancel_no=5)
    for _ in range(50):
        await asyncio.sleep(0)
    assert shop.sent[-1] == "shipment.book"
    shop.bookings.receive(ReceivedMessage("shipment.booked.v1", shop.plans[0], ""))
    await shop.finish()
    assert (shop.sent[-1], shop.carried) == ("fulfilment.cancel_accepted", [])


def event(what: str, **more: Any) -> ReceivedMessage:
    about = {"order_id": "1", "user_id": "household-7-week-2", "parent_id": None, "state": "paid", "version": 3}
    return ReceivedMessage(f"order.{what}.v1", about | more, "")


@pytest.mark.parametrize(
    ("events", "label", "found"),
    [
        ([event("created")], HOME, (1, 0)),
        ([event("created")], HOME | {"detail": "8 Example Street"}, (0, 1)),
        ([event("created")], {}, (0, 1)),
        ([], HOME, (0, 1)),
        ([event("created"), event("address_changed")], HOME, (0, 1)),
        ([event("created"), event("address_changed")], address(MOVED), (1, 0)),
    ],
)
def test_a_label_is_compared_with_the_address_that_the_buyer_gave_last(
    events: list[ReceivedMessage], label: dict[str, Any], found: tuple[int, int]
) -> None:
    labels = ParcelLabels()
    for one in events:
        labels.receive(one)
    labels.print("T1", ["1"], label)
    equal, different = labels.compare()
    assert (equal, len(different)) == found


READ = {"order_id": "1", "user_id": "household-7-week-2", "version": 3, "state": "paid"}


@pytest.mark.parametrize(
    ("chance", "type_", "body", "wrong"),
    [
        ("reads the order", "order.described.v1", READ, 0),
        ("reads the order", "order.described.v1", READ | {"version": 4, "state": "shipped"}, 0),
        ("reads the order", "order.described.v1", READ | {"version": 2}, 1),
        ("reads the order", "order.described.v1", READ | {"state": "shipped"}, 1),
        ("reads the order", "query.rejected.v1", {"code": "ORDER_NOT_FOUND"}, 1),
        ("lists the orders", "order.listed.v1", {"orders": [READ]}, 0),
        ("lists the orders", "order.listed.v1", {"orders": []}, 1),
        ("lists the orders", "order.listed.v1", {"orders": [READ, READ | {"user_id": "eve"}]}, 1),
    ],
)
async def test_a_read_that_contradicts_an_event_is_reported(
    chance: str, type_: str, body: dict[str, Any], wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(order_reads.CHANCES, chance, 1.0)
    works: list[Any] = []

    async def request(*_: Any) -> ReceivedMessage:
        return ReceivedMessage(type_, body, "")

    reads = OrderReads(SimpleNamespace(request=request), SimpleNamespace(start=works.append))  # type: ignore[arg-type]
    reads.receive(event("paid"))
    for work in works:
        await work
    assert (len(works), len(reads.unexpected)) == (1, wrong)


async def test_an_operator_releases_each_hold_of_an_operator_and_holds_no_split_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(operators.CHANCES, "order.paid.v1", 1.0)
    sent: list[tuple[str, Any]] = []
    works: list[Any] = []

    async def send(message: OutgoingMessage) -> None:
        assert not isinstance(message.body, bytes)
        sent.append((message.type, message.body.get("hold_id")))

    link: Any = SimpleNamespace(send=send)
    people = Operators(link, CommandOutcomes(), SimpleNamespace(start=works.append))  # type: ignore[arg-type]
    people.receive(event("created", order_id="2", children=["3"]))
    people.receive(event("paid", order_id="2"))
    people.receive(event("paid"))
    people.receive(event("held", kind="shortage", hold_id="8"))
    people.receive(event("held", kind="operator", hold_id="9"))
    for work in works:
        await work
    assert sent == [("order.hold.v1", None), ("order.release.v1", "9")]
