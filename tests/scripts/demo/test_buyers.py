"""Buyers know what an order must cost, make mistakes on purpose, and report every unexpected answer."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.amqp_client import OutgoingMessage, ReceivedMessage
from scripts.demo import buyers as buyers_module
from scripts.demo import order_placement
from scripts.demo.baskets import Basket, Product
from scripts.demo.buyer_benefits import BuyerBenefits
from scripts.demo.buyers import Buyers
from scripts.demo.checkout import Rules, points_collected
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.coupons import Coupon
from scripts.demo.merged_orders import MergedOrders, in_pairs
from scripts.demo.order_placement import AGREED, OrderPlacement
from scripts.demo.purchase import purchase
from scripts.demo.queries import Queries

TEA = Product("tea", "tea", "drinks", 500, 1)
WITHOUT_POINTS, WITH_POINTS = (
    next(household for household in map(str, range(100)) if bool(points_collected(household)) is collects)
    for collects in (False, True)
)
BASKET = Basket("7", WITHOUT_POINTS, 2, (("tea", 2),), Coupon("template", "1.00 off", 100, ("tea",)))
WANTED = purchase(BASKET, [(TEA, 2)], Rules(), "basket-7", 0)
CREATED = {"order_id": "1", "amounts": WANTED.amounts}
LIMITED = {"code": "RISK_RATE_LIMITED", "details": {"retry_at": datetime.now(UTC).isoformat()}}
OTHER_PRICE = {"order_id": "1", "amounts": WANTED.amounts | {"shipping": 0}}
EVENTS = {
    "order.create.v1": "order.created.v1",
    "order.merge.v1": "order.merged.v1",
    "coupon_template.upsert.v1": "coupon_template.changed.v1",
    "coupon.issue.v1": "coupon.issued.v1",
    "points.grant.v1": "points.changed.v1",
}


class FakeLink:
    """A link to an order system that answers orders at once with the given bodies, one after the other."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.sent: list[OutgoingMessage] = []
        self.outcomes = CommandOutcomes()
        self.queries: Queries | None = None
        self._answers = iter(answers)

    async def send(self, message: OutgoingMessage) -> None:
        self.sent.append(message)
        if message.type == "order.preview.v1":
            assert self.queries is not None
            self.queries.receive(ReceivedMessage("order.previewed.v1", next(self._answers), message.message_id))
        elif message.message_id in self.outcomes.open:
            body = next(self._answers) if message.type.startswith("order.") else {}
            type_ = "command.rejected.v1" if "code" in body else EVENTS[message.type]
            self.outcomes.receive(ReceivedMessage(type_, body, message.message_id))

    def bodies(self, type_: str) -> list[Any]:
        return [message.body for message in self.sent if message.type == type_]


@pytest.fixture
def by_chance(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Buyers do nothing at random. The returned function makes them always do one thing."""
    for chances in (buyers_module.CHANCES, order_placement.CHANCES):
        for name in chances:
            monkeypatch.setitem(chances, name, 0.0)
    return lambda name: monkeypatch.setitem(buyers_module.CHANCES, name, 1.0)


def shop(link: Any) -> tuple[Buyers, OrderPlacement]:
    """Return buyers and the placement of their orders, on this link."""
    tasks: Any = SimpleNamespace(start=None)
    stocked_products: Any = SimpleNamespace(lines_of=lambda basket: [(TEA, units) for _, units in basket.lines])
    placement, link.queries = (
        OrderPlacement(link, link.outcomes, tasks, "replies"),
        Queries(link, "replies"),
    )
    return Buyers(
        placement, stocked_products, BuyerBenefits(link, link.outcomes), link.queries, rules=Rules()
    ), placement


@pytest.mark.usefixtures("by_chance")
async def test_a_buyer_gets_a_coupon_before_the_order_and_expects_the_checkouts_price() -> None:
    link = FakeLink(CREATED)
    buyers, placement = shop(link)
    assert await buyers.order(BASKET) == "1"
    assert [message.type for message in link.sent] == [
        "coupon_template.upsert.v1",
        "coupon.issue.v1",
        "order.create.v1",
    ]
    [body] = link.bodies("order.create.v1")
    assert (body["coupon_id"], body["expected_pay_amount"]) == ("basket-7", 2 * 500 - 100 + 499)
    assert (placement.did[AGREED], placement.unexpected_answers, buyers.cents["coupons"]) == (1, [], 100)


@pytest.mark.usefixtures("by_chance")
@pytest.mark.parametrize(
    ("answer", "order_id", "unexpected_answers"),
    [
        (CREATED, "1", 0),
        (OTHER_PRICE, "1", 1),
        ({"code": "INVENTORY_INSUFFICIENT"}, None, 0),
        ({"code": "ORDER_PRICE_MISMATCH"}, None, 1),
        ({"code": "COUPON_NOT_FOUND"}, None, 1),
    ],
)
async def test_an_order_with_an_unexpected_price_or_rejection_is_reported(
    answer: dict[str, Any], order_id: str | None, unexpected_answers: int
) -> None:
    buyers, placement = shop(FakeLink(answer))
    assert await buyers.order(BASKET) == order_id
    assert len(placement.unexpected_answers) == unexpected_answers


@pytest.mark.usefixtures("by_chance")
async def test_a_rate_limited_buyer_orders_again_with_another_request_id() -> None:
    link, job = FakeLink(LIMITED, CREATED), list[str]()
    buyers, placement = shop(link)
    assert await buyers.order(BASKET, job.append) == "1"
    assert job == [body["request_id"] for body in link.bodies("order.create.v1")] == ["basket-7-0", "basket-7-1"]
    assert not placement.unexpected_answers


@pytest.mark.usefixtures("by_chance")
async def test_a_rate_limited_order_is_an_expected_answer() -> None:
    plain = purchase(BASKET, [(TEA, 1)], Rules(), None, 0)
    created = {"order_id": "1", "amounts": plain.amounts}
    buyers, placement = shop(FakeLink(created, LIMITED, created))
    await buyers.order_too_often(BASKET, 3)
    assert (placement.did[AGREED], placement.unexpected_answers) == (2, [])


@pytest.mark.parametrize(
    ("mistake", "answer", "unexpected_answers"),
    [
        ("expects a wrong price", {"code": "ORDER_PRICE_MISMATCH"}, 0),
        ("expects a wrong price", CREATED, 1),
        ("orders an unknown product", {"code": "PRODUCT_NOT_FOUND"}, 0),
        ("orders an unknown product", {"code": "COUPON_NOT_FOUND"}, 1),
        ("tries the coupon of another user", {"code": "COUPON_NOT_FOUND"}, 0),
        ("tries the coupon of another user", CREATED, 1),
        ("tries an expired coupon", {"code": "COUPON_NOT_USABLE"}, 0),
        ("tries a coupon again", {"code": "COUPON_ALREADY_LOCKED"}, 0),
        ("tries a coupon again", LIMITED, 0),
    ],
)
async def test_a_mistake_must_be_rejected_for_its_reason_and_the_basket_is_ordered_again(
    mistake: str,
    answer: dict[str, Any],
    unexpected_answers: int,
    by_chance: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scripts.demo.buyer_benefits.EXPIRES_SECONDS", -0.5)
    by_chance(mistake)
    link = FakeLink(answer, CREATED)
    buyers, placement = shop(link)
    buyer_benefits = buyers._buyer_benefits
    buyer_benefits.remember_used("foreign", "another user")
    if mistake == "tries a coupon again":
        buyer_benefits.remember_used("former", BASKET.user)
    assert await buyers.order(BASKET) == "1"
    wrong, right = link.bodies("order.create.v1")
    assert (len(placement.unexpected_answers), placement.did[AGREED]) == (unexpected_answers, 1)
    assert wrong["request_id"] != right["request_id"]
    assert right["coupon_id"] == "basket-7"
    if "coupon" in mistake:
        assert wrong["coupon_id"] not in (None, "basket-7")


@pytest.mark.parametrize(("preview", "unexpected_answers"), [(CREATED, 0), (OTHER_PRICE, 1), ({"amounts": None}, 1)])
async def test_a_preview_with_another_price_than_the_checkouts_is_reported(
    preview: dict[str, Any], unexpected_answers: int, by_chance: Callable[[str], None]
) -> None:
    by_chance("asks for a preview first")
    link = FakeLink(preview, CREATED)
    buyers, placement = shop(link)
    assert await buyers.order(BASKET) == "1"
    [job], [ordered] = link.bodies("order.preview.v1"), link.bodies("order.create.v1")
    assert len(placement.unexpected_answers) == unexpected_answers
    assert job == {name: ordered[name] for name in job if name != "country"} | {"country": "US"}


@pytest.mark.usefixtures("by_chance")
async def test_points_are_granted_once_and_used_in_the_first_order() -> None:
    link = FakeLink(CREATED, CREATED)
    buyers, _ = shop(link)
    for number in ("8", "9"):
        await buyers.order(Basket(number, WITH_POINTS, 2, (("tea", 2),)))
    first, second = link.bodies("order.create.v1")
    assert len(link.bodies("points.grant.v1")) == 1
    assert first["use_points"] > 0
    assert second["use_points"] == 0


# ---------------------------------------------------------------- two baskets at once


def test_only_baskets_of_one_buyer_are_paid_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.demo.merged_orders.AT_ONCE", 1.0)
    baskets = [Basket(str(n), household, 1, ()) for n, household in enumerate("abacab")]
    assert [[basket.basket_id for basket in entry] for entry in in_pairs(baskets)] == [
        ["0", "2"],
        ["1", "5"],
        ["3"],
        ["4"],
    ]


@pytest.mark.usefixtures("by_chance")
@pytest.mark.parametrize(
    ("answers", "released"),
    [
        ((CREATED, CREATED, {}), []),
        ((CREATED, {"code": "INVENTORY_INSUFFICIENT"}), ["basket-7-0", "basket-8-0"]),
        ((CREATED, CREATED, {"code": "ORDER_NOT_MERGEABLE"}), ["basket-7-0", "basket-8-0"]),
    ],
    ids=["merged", "one is sold out", "one is cancelled already"],
)
async def test_orders_that_cannot_be_merged_are_paid_one_by_one(answers: Any, released: list[str]) -> None:
    link, holds, releases = FakeLink(*answers), list[str](), list[str]()
    buyers, _ = shop(link)
    bills: Any = SimpleNamespace(hold=holds.append, release=releases.append)
    second = Basket("8", WITHOUT_POINTS, 2, BASKET.lines, BASKET.coupon)
    await MergedOrders(link, link.outcomes, buyers, bills).order([BASKET, second])  # type: ignore[arg-type]
    assert holds == ["basket-7-0", "basket-8-0"]
    assert releases == released
