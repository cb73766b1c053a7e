"""Several unpaid orders of one user, paid with one payment: all of them or none."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from messages.base import Actor
from messages.orders import OrderMerge
from messages.payments import PaymentResult
from messages.refunds import RefundRequest
from tests.handlers.builders import OPERATOR, cancel, captured, create, receive, sku, user
from tests.handlers.catalogue_builders import coupon, grant, template
from tests.handlers.harness import HandlerHarness


def merge(*order_ids: int, request_id: str = "g1", actor: Actor | None = None) -> OrderMerge:
    return OrderMerge(request_id=request_id, actor=actor or user(), order_ids=order_ids)


def capture(order_id: int, intent_id: int | None, amount: int, trade_no: str = "t1", **changes: Any) -> PaymentResult:
    """The capture that pays an intent; it names one of the orders."""
    return captured(order_id, amount, trade_no, **changes).model_copy(update={"intent_id": intent_id})


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock(qty=100)
    return harness


async def pair(harness: HandlerHarness) -> tuple[int, int]:
    """Two orders that await payment, of 500 and of 1000."""
    return await harness.place_order(("s1", 1)), await harness.place_order(("s1", 2))


async def merged(harness: HandlerHarness, *order_ids: int, request_id: str = "g1") -> int:
    """The intent that pays all of these."""
    await harness.handle(merge(*order_ids, request_id=request_id))
    found = harness.events_of("order.merged")
    assert found, harness.events[-1]
    return int(found[-1]["intent_id"])


async def own_intent(harness: HandlerHarness, order_id: int) -> int:
    intent_id: int = await harness.pool.fetchval(
        "SELECT id FROM payment_intents WHERE order_id = $1 AND purpose = 'order'", order_id
    )
    return intent_id


async def verdicts(harness: HandlerHarness) -> dict[str, str]:
    return dict(await harness.rows("SELECT trade_no, verdict FROM payment_facts"))


def given_back(harness: HandlerHarness) -> list[tuple[str, int]]:
    """(cause, amount) of every refund."""
    return [(refund["cause"], refund["amount"]) for refund in harness.events_of("refund.requested")]


async def money_adds_up(harness: HandlerHarness) -> None:
    """Check that all captures are the cost of the paid orders plus all refunds, to the minor unit."""
    sums = {
        "captured": "SELECT coalesce(sum(amount), 0) FROM payment_facts WHERE kind = 'captured'",
        "refunded": "SELECT coalesce(sum(amount), 0) FROM refunds",
        "paid": "SELECT coalesce(sum(payable_amount), 0) FROM orders WHERE state = 'paid'",
    }
    found = {name: await harness.pool.fetchval(query) for name, query in sums.items()}
    assert found["captured"] == found["refunded"] + found["paid"], found


async def test_merged_orders_are_announced_with_the_intent_that_pays_all_of_them(harness: HandlerHarness) -> None:
    a, b = await pair(harness)
    intent_id = await merged(harness, a, b)
    assert [
        (e["order_id"], e["intent_id"], e["order_ids"], e["amount"], e["stream"], e["seq"])
        for e in harness.events_of("order.merged")
    ] == [(str(key), str(intent_id), [str(a), str(b)], 1500, str(key), 2) for key in (a, b)]
    deadlines = {e["pay_before"] for e in harness.events_of("order.created")}
    assert {e["pay_before"] for e in harness.events_of("order.merged")} == {min(deadlines)}
    assert await harness.states() == ["awaiting_payment"] * 2
    assert await harness.rows("SELECT order_id, amount FROM payment_intent_orders ORDER BY order_id") == [
        (a, 500),
        (b, 1000),
    ]


async def test_one_capture_pays_all_of_them_and_their_benefits_are_used(harness: HandlerHarness) -> None:
    await harness.handle(template(), coupon(), grant(200))
    a = await harness.create_order(create(("s1", 1), coupon_id="c1", expected_pay_amount=400))
    b = await harness.create_order(create(("s1", 2), request_id="r2", use_points=200, expected_pay_amount=800))
    intent_id = await merged(harness, a, b)
    await harness.handle(capture(b, intent_id, 1200), trusted=True)
    assert await harness.states() == ["paid"] * 2
    assert await harness.rows("SELECT id, captured_amount, intent_id FROM orders ORDER BY id") == [
        (a, 400, intent_id),
        (b, 800, intent_id),
    ]
    assert await harness.rows("SELECT order_id, intent_id, verdict FROM payment_facts") == [(b, intent_id, "kept")]
    assert await harness.rows("SELECT state, order_id FROM coupons") == [("used", a)]
    assert await harness.rows("SELECT balance, held FROM points_accounts") == [(0, 0)]
    assert await harness.stock() == (97, 0)
    assert await harness.pool.fetchval("SELECT count(*) FROM timers") == 0
    assert given_back(harness) == []


WRONG = {
    "one order's own": (500, "CNY"),
    "too little": (1499, "CNY"),
    "too much": (1501, "CNY"),
    "other": (1500, "USD"),
}


@pytest.mark.parametrize(("amount", "currency"), WRONG.values(), ids=list(WRONG))
async def test_another_amount_goes_back_whole_and_pays_none(
    harness: HandlerHarness, amount: int, currency: str
) -> None:
    a, b = await pair(harness)
    intent_id = await merged(harness, a, b)
    await harness.handle(capture(a, intent_id, amount, currency=currency), trusted=True)
    assert await harness.states() == ["awaiting_payment"] * 2
    assert given_back(harness) == [("amount:alipay:t1", amount)]
    assert harness.events_of("alert.raised")[0]["code"] == "PAY_AMOUNT_MISMATCH"
    await harness.handle(capture(b, intent_id, 1500, "t2"), trusted=True)
    assert await harness.states() == ["paid"] * 2


@pytest.mark.parametrize("end", ["cancelled", "expired"])
@pytest.mark.parametrize("named", [0, 1])
async def test_where_one_has_ended_the_whole_goes_back_and_the_other_is_paid_alone(
    harness: HandlerHarness, end: str, named: int
) -> None:
    a, b = await pair(harness)
    intent_id = await merged(harness, a, b)
    if end == "cancelled":
        await harness.handle(cancel(a))
    else:
        await harness.pool.execute("UPDATE timers SET due_at = now() - interval '1 s' WHERE key = $1", a)
        await harness.mark_progress()
        await harness.handle(harness.delayed[0])
    await harness.handle(capture((a, b)[named], intent_id, 1500), trusted=True)
    assert await harness.states() == ["cancelled", "awaiting_payment"]
    assert given_back(harness) == [("late:alipay:t1", 1500)]
    await harness.handle(capture(b, await own_intent(harness, b), 1000, "t2"), trusted=True)
    assert await harness.states() == ["cancelled", "paid"]
    await money_adds_up(harness)


async def test_every_capture_after_the_one_that_is_kept_is_a_duplicate_of_any_amount(
    harness: HandlerHarness,
) -> None:
    a, b = await pair(harness)
    intent_id, own = await merged(harness, a, b), await own_intent(harness, a)
    await harness.handle(capture(a, intent_id, 1500), trusted=True)
    again = [
        capture(b, intent_id, 1500, "t2"),
        capture(a, None, 500, "t3"),
        capture(a, own, 500, "t4"),
    ]
    batch = await harness.handle(*again, trusted=True)
    assert not batch.verdicts, batch.verdicts
    assert await verdicts(harness) == {"t1": "kept", "t2": "duplicate", "t3": "duplicate", "t4": "duplicate"}
    assert given_back(harness) == [("dup:alipay:t2", 1500), ("dup:alipay:t3", 500), ("dup:alipay:t4", 500)]
    rows = await harness.rows(
        "SELECT f.intent_id, r.intent_id FROM payment_facts f JOIN refunds r USING (trade_no) ORDER BY 1"
    )
    assert rows == sorted([(intent_id, intent_id), (intent_id, intent_id), (own, own)])
    await money_adds_up(harness)


async def test_an_order_paid_alone_takes_the_merged_payment_no_more(harness: HandlerHarness) -> None:
    a, b = await pair(harness)
    intent_id = await merged(harness, a, b)
    await harness.handle(capture(a, await own_intent(harness, a), 500, "t1"), trusted=True)
    await harness.handle(capture(b, intent_id, 1500, "t2"), trusted=True)
    assert await harness.states() == ["paid", "awaiting_payment"]
    assert given_back(harness) == [("dup:alipay:t2", 1500)]
    await harness.handle(capture(b, None, 1000, "t3"), trusted=True)
    assert await harness.states() == ["paid"] * 2
    await money_adds_up(harness)


async def test_an_intent_of_other_orders_is_for_a_person_to_look_at(harness: HandlerHarness) -> None:
    a, b = await pair(harness)
    other = await harness.place_order(("s1", 1))
    intent_id = await merged(harness, a, b)
    odd = [
        capture(other, intent_id, 1500),
        capture(other, await own_intent(harness, a), 500, "t2"),
        capture(a, 42, 500, "t3"),
    ]
    batch = await harness.handle_batch([harness.envelope(one) for one in odd])
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["intent_unknown"] * 3
    assert await verdicts(harness) == {}


async def test_a_refund_of_one_order_draws_on_its_own_part_of_the_payment(harness: HandlerHarness) -> None:
    a, b = await pair(harness)
    await harness.handle(capture(a, await merged(harness, a, b), 1500), trusted=True)

    def refund(order_id: int, amount: int, request_id: str) -> RefundRequest:
        return RefundRequest(request_id=request_id, actor=OPERATOR, order_id=order_id, amount=amount, reason="goodwill")

    await harness.handle(refund(a, 501, "1"), refund(a, 200, "2"), refund(a, 301, "3"), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["PAY_REFUND_EXCEEDS"] * 2
    await harness.handle(cancel(b))
    await harness.handle(cancel(a, "x2"))
    assert given_back(harness) == [("operator:2", 200), (f"cancel:{b}", 1000), (f"cancel:{a}", 300)]
    assert {refund["trade_no"] for refund in harness.events_of("refund.requested")} == {"t1"}
    await money_adds_up(harness)


async def test_merging_again_gives_another_intent_and_a_repeat_the_same(harness: HandlerHarness) -> None:
    a, b = await pair(harness)
    c = await harness.place_order(("s2", 1))
    first = await merged(harness, a, b)
    await harness.handle(merge(a, b), reply_to="client.a")
    assert [(reply["duplicate"], reply["intent_id"]) for reply in harness.replies] == [(True, str(first))]
    second = await merged(harness, c, b, a, request_id="g2")
    assert first != second
    assert [e["seq"] for e in harness.events_of("order.merged")] == [2, 2, 2, 3, 3]
    await harness.handle(capture(c, second, 2000), capture(a, first, 1500, "t2"), trusted=True)
    assert await harness.states() == ["paid"] * 3
    assert given_back(harness) == [("dup:alipay:t2", 1500)]


async def test_a_split_order_is_merged_by_its_parent_and_its_children_are_paid_with_it(harness: HandlerHarness) -> None:
    await harness.handle(sku("card", price=300, product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await harness.create_order(create(("s1", 1), ("card", 1), expected_pay_amount=800))
    other = await harness.create_order(create(("s1", 1), request_id="r2"))
    intent_id = await merged(harness, root, other)
    await harness.handle(capture(other, intent_id, 1300), trusted=True)
    thing, card = await harness.children(root)
    assert [await harness.state(key) for key in (root, thing, card, other)] == ["split", "paid", "paid", "paid"]
    await harness.handle(cancel(card))
    assert given_back(harness) == [(f"cancel:{card}", 300)]
    await harness.handle(cancel(root, "x2"), cancel(other, "x3"))
    assert sorted(given_back(harness)[1:]) == sorted([(f"cancel:{thing}", 500), (f"cancel:{other}", 500)])


async def test_orders_that_cannot_be_paid_together_are_refused_and_named(harness: HandlerHarness) -> None:
    await harness.handle(sku("euro", currency="EUR"), sku("card", price=300, product_type="virtual"))
    await harness.handle(receive("euro", 10), receive("card", 10))
    a, b = await pair(harness)
    euro = await harness.create_order(create(("euro", 1), currency="EUR", request_id="euro"))
    root = await harness.create_order(create(("s1", 1), ("card", 1), request_id="split", expected_pay_amount=800))
    child = (await harness.children(root))[0]
    theirs = await harness.create_order(create(("s1", 1), request_id="theirs", user_id="u2"))
    gone = await harness.place_order(("s1", 1))
    await harness.handle(cancel(gone))
    paid = await harness.place_paid_order(("s1", 1))
    await harness.handle_batch([harness.envelope(create(("s1", 1), request_id="early"))])
    await harness.pool.execute("DELETE FROM outbox")
    early = await harness.pool.fetchval("SELECT id FROM orders WHERE request_id = 'early'")
    cases: list[tuple[Sequence[int], str, dict[str, str]]] = [
        ((a,), "ORDER_NOT_MERGEABLE", {"field": "order_ids"}),
        ((a, a), "ORDER_NOT_MERGEABLE", {"field": "order_ids"}),
        ((a, euro), "ORDER_NOT_MERGEABLE", {"order_id": str(euro)}),
        ((a, child), "ORDER_NOT_MERGEABLE", {"order_id": str(child), "state": "awaiting_payment"}),
        ((a, gone), "ORDER_NOT_MERGEABLE", {"order_id": str(gone), "state": "cancelled"}),
        ((a, paid), "ORDER_NOT_MERGEABLE", {"order_id": str(paid), "state": "paid"}),
        ((a, early), "ORDER_NOT_MERGEABLE", {"order_id": str(early), "state": "placing"}),
        ((a, theirs), "ORDER_NOT_FOUND", {"order_id": str(theirs)}),
        ((a, 404), "ORDER_NOT_FOUND", {"order_id": "404"}),
    ]
    for number, (order_ids, _, _) in enumerate(cases):
        await harness.handle(merge(*order_ids, request_id=f"g{number}"))
    assert harness.rejections() == [(code, details) for _, code, details in cases]
    await harness.handle(merge(a, theirs, request_id="ops", actor=OPERATOR), trusted=True)
    assert harness.rejections()[len(cases) :] == [("ORDER_NOT_MERGEABLE", {"order_id": str(theirs)})]
    assert await harness.rows("SELECT * FROM payment_intent_orders") == []
    await harness.handle(merge(a, b, a, request_id="twice"))
    assert harness.events_of("order.merged")[0]["order_ids"] == [str(a), str(b)]


async def test_a_merged_capture_an_orders_own_and_a_cancellation_meet_at_the_orders_locks(
    harness: HandlerHarness,
) -> None:
    """In any order of three workers, every capture pays orders that are still valid, or is refunded."""
    ended = []
    for number, order in enumerate(permutations(("merged", "own", "cancel"))):
        a, b = await pair(harness)
        intent_id = await merged(harness, a, b, request_id=f"g{number}")
        bodies = {
            "merged": capture(b, intent_id, 1500, f"m{number}"),
            "own": capture(a, await own_intent(harness, a), 500, f"o{number}"),
            "cancel": cancel(a, f"x{number}"),
        }
        await harness.handle_overlapping(*([bodies[name]] for name in order))
        assert await harness.pool.fetchval("SELECT count(*) FROM payment_facts") == 2 * (number + 1)
        ended.append((*order, await harness.state(a), await harness.state(b)))
        await money_adds_up(harness)
    assert ended == [
        ("merged", "own", "cancel", "cancelled", "paid"),
        ("merged", "cancel", "own", "cancelled", "paid"),
        ("own", "merged", "cancel", "cancelled", "awaiting_payment"),
        ("own", "cancel", "merged", "cancelled", "awaiting_payment"),
        ("cancel", "merged", "own", "cancelled", "awaiting_payment"),
        ("cancel", "own", "merged", "cancelled", "awaiting_payment"),
    ]


@pytest.mark.parametrize("kind", ["captured", "failed"])
@pytest.mark.parametrize("names_intent", [True, False])
async def test_the_same_payment_under_another_of_its_orders_is_the_same_fact(
    harness: HandlerHarness, kind: str, names_intent: bool
) -> None:
    a, b = await pair(harness)
    intent_id = await merged(harness, a, b)
    bodies = [capture(key, intent_id, 1500, kind=kind) for key in (a, b)]
    again = capture(b, intent_id if names_intent else None, 1500, kind=kind)
    for reports in (bodies, [again]):
        batch = await harness.handle_batch([harness.envelope(body, trusted=True) for body in reports])
        assert batch.verdicts == {}
    assert await harness.rows("SELECT order_id, intent_id FROM payment_facts") == [(a, intent_id)]
    assert await harness.states() == ["paid" if kind == "captured" else "awaiting_payment"] * 2
    assert given_back(harness) == []


async def test_the_same_payment_under_an_order_that_it_does_not_pay_or_with_another_amount_is_another_fact(
    harness: HandlerHarness,
) -> None:
    a, b = await pair(harness)
    other = await harness.place_order(("s1", 3))
    intent_id = await merged(harness, a, b)
    await harness.handle(capture(a, intent_id, 1500), trusted=True)
    wrong = [capture(other, None, 1500), capture(b, intent_id, 1501)]
    batch = await harness.handle_batch([harness.envelope(body, trusted=True) for body in wrong])
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["fact_differs"] * 2
