"""Orders of several product types or sellers: paid as one, but shipped, received and refunded separately."""

from collections.abc import Collection
from itertools import permutations
from typing import Any

import pytest

import outbox
from messages.base import AlertRaised
from messages.orders import OrderChangeAddress, OrderConfirmReceipt, OrderCreate, OrderDelete
from messages.refunds import RefundRequest
from tests.handlers.builders import ADDRESS, OPERATOR, book, cancel, captured, create, receive, sku, update, user
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Policy, Shop

GOODS = {"tea": ("normal", "acme", 333), "cup": ("normal", "bolt", 1000), "card": ("virtual", "acme", 777)}
"""SKU -> product type, seller, price"""
BASKET = (("tea", 3), ("cup", 1), ("card", 2))
TERMS = (
    "origin_amount",
    "promotion_amount",
    "coupon_amount",
    "points_amount",
    "shipping_fee",
    "tax_amount",
    "payable_amount",
)
PARTS = {"tea": 999 + 21, "cup": 1000 + 22, "card": 1554 + 34}
"""What each child costs: its goods, and its part of 77 for shipping."""
WHOLE = sum(PARTS.values())


def shopping(**changes: Any) -> OrderCreate:
    return create(*BASKET, expected_pay_amount=WHOLE, **changes)


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """Three SKUs that can only be sent in three orders; shipping costs 77."""
    shop.configure(Shop(shipping_fee_minor_units={"CNY": 77}, policy=Policy(rate_limit_orders=0)))
    await harness.handle(
        *(sku(name, price=price, product_type=kind, seller_id=by) for name, (kind, by, price) in GOODS.items())
    )
    await harness.handle(*(receive(name, 10) for name in GOODS))
    harness.events.clear()
    return harness


async def stocks(harness: HandlerHarness) -> list[tuple[int, int]]:
    return [await harness.stock(name) for name in GOODS]


async def family(harness: HandlerHarness) -> list[str]:
    """The states of the parent and its children, in order of their lines."""
    [root] = await harness.rows("SELECT id FROM orders WHERE parent_id IS NULL")
    return [await harness.state(key) for key in (*root, *await harness.children(*root))]


async def paid_family(harness: HandlerHarness) -> tuple[int, list[int]]:
    root = await harness.create_order(shopping())
    await harness.pay(root)
    return root, await harness.children(root)


async def test_each_type_and_seller_gets_an_order_of_its_own_and_every_term_adds_up(harness: HandlerHarness) -> None:
    root = await harness.create_order(shopping())
    children = await harness.children(root)
    rows = {row["id"]: row for row in await harness.pool.fetch("SELECT * FROM orders")}
    assert [(rows[key]["kind"], rows[key]["seller_id"]) for key in (root, *children)] == [
        ("split_parent", None),
        ("split_child", "acme"),
        ("split_child", "bolt"),
        ("split_child", "acme"),
    ]
    assert [rows[key]["payable_amount"] for key in children] == list(PARTS.values())
    assert {term: sum(rows[key][term] for key in children) for term in TERMS} == {t: rows[root][t] for t in TERMS}
    assert {row["root_id"] for row in rows.values()} == {root}
    assert len({row["order_no"] for row in rows.values()}) == 4
    assert await harness.rows("SELECT order_id, amount FROM payment_intents") == [(root, WHOLE)]
    assert await harness.rows("SELECT kind, key FROM timers") == [("payment", root)]
    assert await harness.pool.fetchval("SELECT count(*) FROM order_addresses") == 4
    assert await harness.rows("SELECT order_id, sku_id, qty FROM order_items ORDER BY line_no") == [
        (child, *line) for child, line in zip(children, BASKET, strict=True)
    ]


async def test_the_parents_event_names_its_children_and_the_childrens_name_their_parent(
    harness: HandlerHarness,
) -> None:
    root = await harness.create_order(shopping())
    children = [str(key) for key in await harness.children(root)]
    parents, *others = harness.events_of("order.created")
    assert (parents["order_id"], parents["parent_id"], parents["children"]) == (str(root), None, children)
    assert [line["sku_id"] for line in parents["lines"]] == list(GOODS)
    assert [(e["order_id"], e["parent_id"], e["children"]) for e in others] == [(c, str(root), []) for c in children]
    assert [[line["sku_id"] for line in e["lines"]] for e in others] == [[name] for name in GOODS]
    assert {e["stream"] for e in harness.events_of("order.created")} == {str(root)}
    assert {e["intent_id"] for e in harness.events_of("order.created")} == {parents["intent_id"]}


@pytest.mark.parametrize(
    ("split_by", "parts"),
    [
        ((), [("tea", "cup", "card")]),
        (("product_type",), [("tea", "cup"), ("card",)]),
        (("seller",), [("tea", "card"), ("cup",)]),
        (("product_type", "seller"), [("tea",), ("cup",), ("card",)]),
    ],
)
async def test_what_splits_an_order_is_a_setting(
    harness: HandlerHarness, split_by: Collection[str], parts: list[Any]
) -> None:
    shop.configure(
        Shop(shipping_fee_minor_units={"CNY": 77}, split_by=frozenset(split_by), policy=Policy(rate_limit_orders=0))
    )
    root = await harness.create_order(shopping())
    carriers = await harness.children(root) or [root]
    rows = await harness.rows("SELECT order_id, sku_id FROM order_items ORDER BY line_no")
    assert [tuple(name for key, name in rows if key == carrier) for carrier in carriers] == parts
    assert len(await harness.states()) == (len(parts) + 1 if len(parts) > 1 else 1)


async def test_the_stock_is_held_by_the_children_all_of_it_or_none(harness: HandlerHarness) -> None:
    root = await harness.create_order(shopping())
    children = await harness.children(root)
    held = "SELECT holder_id, group_id, state FROM stock_holders WHERE group_id = $1 ORDER BY holder_id"
    assert await harness.rows(held, root) == [(child, root, "reserved") for child in sorted(children)]
    assert await stocks(harness) == [(10, 3), (10, 1), (10, 2)]
    harness.events.clear()
    await harness.handle(create(("tea", 1), ("card", 9), request_id="r2", expected_pay_amount=333 + 9 * 777 + 77))
    assert (await harness.states())[4:] == ["rejected"] * 3
    assert await stocks(harness) == [(10, 3), (10, 1), (10, 2)]
    assert [e["details"]["short"] for e in harness.events_of("order.rejected")] == [
        [{"sku_id": "card", "warehouse": "main", "want": 9, "have": 8, "elsewhere": 0}]
    ] * 3
    assert await harness.rows("SELECT kind FROM timers WHERE kind = 'saga'") == []


async def test_the_outcome_of_the_command_is_the_parents(harness: HandlerHarness) -> None:
    await harness.handle(shopping(), reply_to="client.a")
    await harness.handle(shopping(), reply_to="client.b")
    first, again = harness.replies
    assert (first["parent_id"], len(first["children"])) == (None, 3)
    assert (again["order_id"], again["duplicate"]) == (first["order_id"], True)
    assert len(await harness.states()) == 4


async def test_a_capture_pays_parent_and_children_in_one_transaction(harness: HandlerHarness) -> None:
    root = await harness.create_order(shopping())
    children = await harness.children(root)
    await harness.handle_batch([harness.envelope(captured(root, WHOLE))])
    assert await family(harness) == ["split", "paid", "paid", "paid"]
    assert await harness.rows("SELECT captured_amount FROM orders ORDER BY parent_id IS NOT NULL, id") == [
        (WHOLE,),
        *[(0,)] * 3,
    ]
    assert await harness.pool.fetchval("SELECT count(*) FROM timers") == 0
    await harness.relay()
    assert await stocks(harness) == [(7, 0), (9, 0), (8, 0)]
    assert {e["order_id"] for e in harness.events_of("order.paid")} == {str(key) for key in (root, *children)}
    assert [e["order_id"] for e in harness.events_of("order.split")] == [str(root)]


async def test_each_child_is_shipped_received_and_completed_on_its_own(harness: HandlerHarness) -> None:
    root, (tea, cup, card) = await paid_family(harness)
    await harness.handle(book(root, "T0"))
    assert [e["code"] for e in harness.events_of("shipment.booking_failed")] == ["ORDER_STATE_INVALID"]
    await harness.deliver(tea)
    await harness.handle(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=root))
    assert harness.rejections()[0][0] == "ORDER_STATE_INVALID", "nothing was sent of the others"
    assert await family(harness) == ["split", "delivered", "paid", "paid"]
    await harness.handle(OrderConfirmReceipt(request_id="c2", actor=user(), order_id=tea))
    await harness.deliver(cup)
    await harness.sweep("receipt")
    assert await family(harness) == ["split", "completed", "completed", "paid"]
    await harness.deliver(card)
    await harness.handle(OrderConfirmReceipt(request_id="c3", actor=user(), order_id=card))
    assert await family(harness) == ["split", "completed", "completed", "completed"]
    assert harness.events_of("refund.requested") == []


async def test_one_receipt_for_the_parent_completes_every_child(harness: HandlerHarness) -> None:
    root, children = await paid_family(harness)
    for child in children:
        await harness.deliver(child)
    await harness.handle(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=root))
    assert await family(harness) == ["split", "completed", "completed", "completed"]
    [changed] = harness.events_of("orders.changed")
    assert (changed["command"], changed["order_ids"]) == (
        "order.confirm_receipt",
        [str(key) for key in sorted(children)],
    )


async def test_each_order_of_a_split_counts_its_events_without_a_gap_in_the_stream_of_the_root(
    harness: HandlerHarness,
) -> None:
    root, (tea, cup, card) = await paid_family(harness)
    await harness.deliver(tea)
    await harness.handle(cancel(card))
    await harness.sweep("receipt")
    events = [e for e in harness.events if e["type"].startswith("order.")]
    assert {e["stream"] for e in events} == {str(root)}
    story = {
        key: [(e["version"] - 1, e["state"]) for e in events if e["order_id"] == str(key)]
        for key in (root, tea, cup, card)
    }
    states = {
        root: ["awaiting_payment", "paid", "split"],
        tea: ["awaiting_payment", "paid", "shipped", "delivered", "completed"],
        cup: ["awaiting_payment", "paid"],
        card: ["awaiting_payment", "paid", "cancelled"],
    }
    assert story == {key: [*enumerate(s, start=1)] for key, s in states.items()}
    alert = AlertRaised.of(code="ORDER_STUCK", title="it waits", content="for its parcel", order_id=cup)
    async with harness.pool.acquire() as tx, tx.transaction():
        await outbox.append(tx, [outbox.event(alert, because=None)])
    await harness.relay()
    about = harness.numbers_about(root, tea, cup, card)
    assert about[alert.TYPE][1], "an event about a child is of the conversation, too"
    numbered = sorted(seq for numbers, _ in about.values() for seq in numbers)
    assert numbered == [*range(numbered[0], numbered[0] + len(numbered))], about
    assert len({name for _, named in about.values() for name in named}) == 1, about


async def test_a_child_cancelled_alone_is_refunded_to_the_minor_unit_from_its_parents_capture(
    harness: HandlerHarness,
) -> None:
    root, (tea, cup, card) = await paid_family(harness)
    await harness.handle(cancel(cup))
    assert await family(harness) == ["split", "paid", "cancelled", "paid"]
    assert await stocks(harness) == [(7, 0), (10, 0), (8, 0)]
    [refund] = harness.events_of("refund.requested")
    assert (refund["order_id"], refund["amount"], refund["trade_no"], refund["cause"]) == (
        str(cup),
        PARTS["cup"],
        f"t-{root}",
        f"cancel:{cup}",
    )
    await harness.handle(cancel(tea), cancel(card))
    assert await family(harness) == ["split", "cancelled", "cancelled", "cancelled"]
    assert sum(refund["amount"] for refund in harness.events_of("refund.requested")) == WHOLE
    assert await stocks(harness) == [(10, 0)] * 3


async def test_operators_refund_children_up_to_what_each_cost_and_no_parent(harness: HandlerHarness) -> None:
    root, (tea, cup, card) = await paid_family(harness)
    requests = [(root, 1), (tea, PARTS["tea"] + 1), (tea, PARTS["tea"]), (cup, 22), (cup, 1001), (card, 1588)]
    for number, (order_id, amount) in enumerate(requests):
        refund = RefundRequest(
            request_id=f"{number}", actor=OPERATOR, order_id=order_id, amount=amount, reason="goodwill"
        )
        await harness.handle(refund, trusted=True)
    assert [code for code, _ in harness.rejections()] == [
        "REFUND_NOT_ALLOWED",
        "PAY_REFUND_EXCEEDS",
        "PAY_REFUND_EXCEEDS",
    ]
    await harness.handle(cancel(root))
    assert [refund["amount"] for refund in harness.events_of("refund.requested")] == [
        PARTS["tea"],
        22,
        PARTS["card"],
        1000,
    ]
    assert {refund["trade_no"] for refund in harness.events_of("refund.requested")} == {f"t-{root}"}


async def test_a_cancelled_parent_cancels_every_child(harness: HandlerHarness) -> None:
    root, children = await paid_family(harness)
    await harness.handle(cancel(root))
    assert await family(harness) == ["split", "cancelled", "cancelled", "cancelled"]
    assert sorted(r["amount"] for r in harness.events_of("refund.requested")) == sorted(PARTS.values())
    [changed] = harness.events_of("orders.changed")
    assert (changed["command"], changed["order_ids"]) == ("order.cancel", [str(key) for key in sorted(children)])
    assert await stocks(harness) == [(10, 0)] * 3


async def test_a_parent_with_a_child_under_way_cancels_none(harness: HandlerHarness) -> None:
    root, (_, cup, _) = await paid_family(harness)
    await harness.handle(book(cup, "T1"), update(cup, "T1", "outbound"))
    await harness.handle(cancel(root))
    assert harness.rejections() == [("ORDER_NOT_CANCELLABLE", {"order_id": str(cup), "state": "shipped"})]
    assert await family(harness) == ["split", "paid", "shipped", "paid"]
    assert harness.events_of("refund.requested") == []


async def test_what_is_left_of_a_parent_is_cancelled_with_it(harness: HandlerHarness) -> None:
    root, (tea, cup, card) = await paid_family(harness)
    await harness.handle(cancel(cup))
    await harness.handle(cancel(root, "x2"))
    assert await family(harness) == ["split", "cancelled", "cancelled", "cancelled"]
    assert [e["order_ids"] for e in harness.events_of("orders.changed")] == [[str(key) for key in sorted((tea, card))]]
    assert sum(r["amount"] for r in harness.events_of("refund.requested")) == WHOLE
    await harness.handle(cancel(root, "x3"))
    assert [code for code, _ in harness.rejections()] == ["ORDER_NOT_CANCELLABLE"], "nothing is left"


async def test_an_unpaid_parent_is_cancelled_with_its_children_and_a_late_capture_goes_back_whole(
    harness: HandlerHarness,
) -> None:
    root = await harness.create_order(shopping())
    await harness.handle(cancel(root))
    assert await family(harness) == ["cancelled"] * 4
    assert await stocks(harness) == [(10, 0)] * 3
    assert harness.events_of("refund.requested") == []
    assert await harness.pool.fetchval("SELECT count(*) FROM timers") == 0
    late = captured(root, WHOLE)
    await harness.handle(late, late, trusted=True)
    assert [(r["amount"], r["cause"]) for r in harness.events_of("refund.requested")] == [(WHOLE, "late:alipay:t1")]
    assert await family(harness) == ["cancelled"] * 4


async def test_a_child_of_an_unpaid_parent_goes_with_it_and_not_alone(harness: HandlerHarness) -> None:
    root = await harness.create_order(shopping())
    child = (await harness.children(root))[0]
    await harness.handle(cancel(child))
    [(code, details)] = harness.rejections()
    assert (code, details["order_id"], details["parent_id"]) == ("ORDER_NOT_CANCELLABLE", str(child), str(root))
    assert await family(harness) == ["awaiting_payment"] * 4


async def test_a_capture_that_names_a_child_pays_nothing_and_goes_back(harness: HandlerHarness) -> None:
    root = await harness.create_order(shopping())
    child = (await harness.children(root))[0]
    await harness.handle(captured(child, PARTS["tea"]), trusted=True)
    assert [(r["order_id"], r["amount"], r["cause"]) for r in harness.events_of("refund.requested")] == [
        (str(child), PARTS["tea"], "amount:alipay:t1")
    ]
    assert await family(harness) == ["awaiting_payment"] * 4
    await harness.pay(root)
    assert await family(harness) == ["split", "paid", "paid", "paid"]


async def test_a_split_order_that_is_not_paid_in_time_ends_as_a_whole(harness: HandlerHarness) -> None:
    await harness.create_order(shopping())
    await harness.sweep("payment")
    assert await family(harness) == ["cancelled"] * 4
    assert {e["cancel_type"] for e in harness.events_of("order.cancelled")} == {"timeout"}
    assert await stocks(harness) == [(10, 0)] * 3


async def test_a_split_order_whose_payment_fails_ends_as_a_whole_if_the_policy_cancels(harness: HandlerHarness) -> None:
    await harness.handle(settings(on_payment_failure="cancel"), trusted=True)
    root = await harness.create_order(shopping())
    await harness.handle(captured((await harness.children(root))[0], 1, "t0", kind="failed"), trusted=True)
    assert await family(harness) == ["awaiting_payment"] * 4, "no child is paid, so none fails"
    await harness.handle(captured(root, WHOLE, kind="failed"), trusted=True)
    assert await family(harness) == ["cancelled"] * 4
    assert await stocks(harness) == [(10, 0)] * 3


async def test_a_split_order_whose_stock_never_answers_is_rejected_and_its_reservation_is_too_late(
    harness: HandlerHarness,
) -> None:
    await harness.handle_batch([harness.envelope(shopping(), reply_to="client.a")])
    [reserve] = await harness.pool.fetch("DELETE FROM outbox RETURNING *")
    await harness.sweep("saga")
    assert await family(harness) == ["rejected"] * 4
    assert {e["code"] for e in harness.events_of("order.rejected")} == {"ORDER_SAGA_TIMEOUT"}
    assert [(reply["code"], reply["parent_id"]) for reply in harness.replies] == [("ORDER_SAGA_TIMEOUT", None)]
    await harness.relay_row(reserve)
    await harness.relay()
    assert await stocks(harness) == [(10, 0)] * 3
    assert await family(harness) == ["rejected"] * 4


async def test_a_split_order_is_hidden_whole_or_not_at_all(harness: HandlerHarness) -> None:
    root, (tea, *others) = await paid_family(harness)
    await harness.handle(*(cancel(key) for key in others))
    await harness.handle(OrderDelete(request_id="d1", actor=user(), order_ids=(root,)))
    assert harness.rejections() == [("ORDER_NOT_DELETABLE", {"order_id": str(tea), "state": "paid"})]
    assert await harness.pool.fetchval("SELECT count(*) FROM orders WHERE deleted") == 0
    await harness.deliver(tea)
    await harness.sweep("receipt")
    await harness.handle(OrderDelete(request_id="d2", actor=user(), order_ids=(tea,)))
    assert await harness.rows("SELECT id FROM orders WHERE deleted") == [(tea,)]
    await harness.handle(OrderDelete(request_id="d3", actor=user(), order_ids=(root, *others)))
    assert await harness.pool.fetchval("SELECT count(*) FROM orders WHERE deleted") == 4
    assert len(harness.events_of("order.deleted")) == 4
    assert len(harness.events_of("orders.deleted")) == 2


async def test_a_new_address_is_that_of_the_parent_and_all_children(harness: HandlerHarness) -> None:
    changed = "SELECT order_id FROM order_addresses WHERE modify_count = 1 ORDER BY order_id"
    root = await harness.create_order(shopping())
    await harness.handle(OrderChangeAddress(request_id="a1", actor=user(), order_id=root, address=ADDRESS))
    assert await harness.rows(changed) == [(key,) for key in sorted((root, *await harness.children(root)))]
    await harness.handle(OrderChangeAddress(request_id="a2", actor=user(), order_id=root, address=ADDRESS))
    assert [code for code, _ in harness.rejections()] == ["ORDER_ADDRESS_ALREADY_CHANGED"]


async def test_a_capture_and_cancellations_of_parent_and_child_wait_for_the_same_locks(
    harness: HandlerHarness,
) -> None:
    """In any order of three workers, we keep exactly the price of the children that remain."""
    ended = []
    for number, order in enumerate(permutations(("capture", "parent", "child"))):
        root = await harness.create_order(
            create(("tea", 1), ("cup", 1), request_id=f"r{number}", expected_pay_amount=1410)
        )
        children = await harness.children(root)
        bodies = {
            "capture": captured(root, 1410, f"t{number}"),
            "parent": cancel(root, f"p{number}"),
            "child": cancel(children[0], f"c{number}"),
        }
        await harness.handle_overlapping(*([bodies[name]] for name in order))
        states = [await harness.state(key) for key in (root, *children)]
        back = sum(r["amount"] for r in harness.events_of("refund.requested") if r["trade_no"] == f"t{number}")
        ended.append((order[0], *states, back))
    assert ended == [
        ("capture", "split", "cancelled", "cancelled", 1410),
        ("capture", "split", "cancelled", "cancelled", 1410),
        ("parent", "cancelled", "cancelled", "cancelled", 1410),
        ("parent", "cancelled", "cancelled", "cancelled", 1410),
        ("child", "split", "cancelled", "cancelled", 1410),
        ("child", "cancelled", "cancelled", "cancelled", 1410),
    ]
    assert await stocks(harness) == [(10, 0)] * 3


async def test_a_split_order_with_nothing_to_pay_is_paid_at_once(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await harness.handle(*(sku(name, price=0, revision=2, product_type=GOODS[name][0]) for name in GOODS))
    root = await harness.create_order(create(*BASKET, expected_pay_amount=0))
    assert await family(harness) == ["split", "paid", "paid"]
    assert [(e["type"], e["version"] - 1) for e in harness.events if e.get("order_id") == str(root)] == [
        ("order.created.v1", 1),
        ("order.paid.v1", 2),
        ("order.split.v1", 3),
    ]
    assert await stocks(harness) == [(7, 0), (9, 0), (8, 0)]
    await harness.handle(cancel(root))
    assert await stocks(harness) == [(10, 0)] * 3
    assert harness.events_of("refund.requested") == []
