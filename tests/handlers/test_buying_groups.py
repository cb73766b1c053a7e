"""All orders of a group of buyers go on once it is full of paid ones, or none does (S1-50)."""

from datetime import UTC, datetime

import pytest

from db.pool import Transaction
from messages.base import QueryRejected
from messages.buying_groups import GroupDue, GroupPaid, OrderGroupFailed, OrderGroupFormed
from messages.explanations import OrderExplain, OrderExplained
from messages.group_queries import GroupDescribed, GroupGet, GroupShown
from messages.order_queries import OrderDescribed, OrderGet
from messages.payments import ProgressMark
from messages.queries import OrderPreview, OrderPreviewed
from tests.handlers.adjustment_builders import adjustment
from tests.handlers.builders import OPERATOR, book, cancel, captured, user
from tests.handlers.catalogue_builders import coupon, settings, template
from tests.handlers.group_builders import TEAM, group_state, joining, let_end, ready
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.handlers.querying import ask
from workers.handlers import timeouts
from workers.store import timers

STOCK = 100


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    return await ready(harness)


async def join(harness: HandlerHarness, *users: str, group_id: str = TEAM) -> list[int]:
    return [await harness.create_order(joining(one, group_id)) for one in users]


async def pay(harness: HandlerHarness, *order_ids: int) -> None:
    for order_id in order_ids:
        await harness.pay(order_id)


async def held(harness: HandlerHarness) -> list[bool]:
    return [row[0] for row in await harness.rows("SELECT held FROM orders ORDER BY id")]


async def test_a_group_forms_with_its_last_payment_and_its_orders_leave_only_then(harness: HandlerHarness) -> None:
    first, second, third = await join(harness, "a", "b", "c")
    await pay(harness, first, second)
    [one, _] = harness.events_of("order.held")
    assert (one["state"], one["kind"], one["reason_code"]) == ("paid", "group", "group_forming")
    await harness.handle(book(first, "T1"))
    assert harness.events_of("shipment.booking_failed")[0]["code"] == "ORDER_HELD"
    assert harness.events_of("group.formed") == []
    [reply] = await ask(harness, OrderExplain(actor=user("a"), order=str(first)))
    assert isinstance(reply, OrderExplained)
    [waits] = reply.awaits
    [group] = await ask(harness, GroupGet(actor=OPERATOR, group_id=TEAM))
    assert isinstance(group, GroupDescribed)
    assert (group.state, group.size, group.seated, group.paid) == ("open", 3, 3, 2)
    assert group.order_ids == (first, second, third)
    assert (waits.what, waits.whom, waits.name, waits.ref) == ("group", "buyer", TEAM, "2 of 3")
    assert waits.otherwise == "cancelled"
    assert reply.group is not None
    assert (reply.group.paid, reply.group.deadline) == (2, waits.until)
    assert waits.until == (await harness.rows("SELECT deadline FROM buying_groups"))[0][0]

    await pay(harness, third)
    [formed] = harness.events_of("group.formed")
    assert (formed["group_id"], formed["spu_id"], formed["size"], formed["paid"]) == (TEAM, "spu-s1", 3, 3)
    assert formed["order_ids"] == [str(first), str(second), str(third)]
    assert await held(harness) == [False, False, False]
    assert {event["release_reason_code"] for event in harness.events_of("order.released")} == {"group_formed"}
    assert await harness.rows("SELECT count(*) FROM timers WHERE kind = 'group'") == [(0,)]
    await harness.deliver(second)
    assert await harness.states() == ["paid", "delivered", "paid"]


async def test_a_group_that_is_not_full_in_time_fails_and_all_money_goes_back(harness: HandlerHarness) -> None:
    await harness.handle(template("t1"), trusted=True)
    await harness.handle(coupon("c1", "a"), trusted=True)
    first = await harness.create_order(joining("a", coupon_id="c1", expected_pay_amount=900))
    second, third = await join(harness, "b", "c")
    await pay(harness, first, second)
    await let_end(harness)
    replies = await ask(
        harness, *(GroupGet(actor=who, group_id=name) for name in (TEAM, "x") for who in (user("z"), OPERATOR))
    )
    assert isinstance(replies[0], GroupDescribed)
    assert isinstance(replies[1], GroupDescribed)
    assert (replies[0].state, replies[0].paid, replies[0].seated, replies[0].order_ids) == ("failed", 0, 0, ())
    assert [reply.code for reply in replies[2:] if isinstance(reply, QueryRejected)] == ["GROUP_NOT_FOUND"] * 2
    [failed] = harness.events_of("group.failed")
    assert (failed["paid"], failed["order_ids"]) == (2, [str(first), str(second), str(third)])
    assert await harness.states() == ["cancelled"] * 3
    assert {(e["cancel_type"], e["reason_code"]) for e in harness.events_of("order.cancelled")} == {
        ("system", "group_failed")
    }
    assert await harness.rows("SELECT order_id, amount FROM refunds ORDER BY 1") == [(first, 900), (second, 1000)]
    assert await harness.stock() == (STOCK, 0)
    assert await harness.rows("SELECT state FROM coupons") == [("issued",)]
    assert await harness.rows("SELECT count(*) FROM order_holds WHERE released_at IS NULL") == [(0,)]
    await harness.handle(captured(third, 1000, "late"), trusted=True)
    assert await harness.rows("SELECT amount FROM refunds WHERE order_id = $1", third) == [(1000,)]


async def test_who_may_not_join_gets_a_code_and_takes_no_seat(harness: HandlerHarness) -> None:
    await harness.handle(settings("seckill", group_size=2), trusted=True)
    await harness.handle(joining("a", None))
    await harness.handle(joining("a", request_id="alone", business_type="normal"))
    await harness.handle(joining("a", "mixed", ("s1", 1), ("s2", 1)))
    await harness.handle(joining("a", "dear", expected_pay_amount=1))
    assert await harness.rows("SELECT count(*) FROM buying_groups") == [(0,)], "a refused order opens no group"
    await harness.handle(joining("a"), joining("b"), joining("a", request_id="again"))
    await harness.handle(joining("d", TEAM, ("s2", 1)))
    await harness.handle(joining("c"), joining("e"))
    await harness.handle(joining("x", "pair", business_type="seckill"))
    await harness.pool.execute("UPDATE buying_groups SET deadline = now() WHERE group_id = 'pair'")
    await harness.handle(joining("y", "pair", business_type="seckill"))
    assert [code for code, _ in harness.rejections()] == [
        "GROUP_REQUIRED",
        "ORDER_PARAM_INVALID",
        "GROUP_GOODS_DIFFER",
        "ORDER_PRICE_MISMATCH",
        "GROUP_ALREADY_JOINED",
        "GROUP_GOODS_DIFFER",
        "GROUP_FULL",
        "GROUP_CLOSED",
    ]
    assert await harness.rows("SELECT size, spu_id FROM buying_groups ORDER BY id") == [(3, "spu-s1"), (2, "spu-s1")]


async def test_an_order_shows_how_full_its_group_is_though_the_order_itself_stays_as_it_is(
    harness: HandlerHarness,
) -> None:
    order_ids = await join(harness, "a", "b", "c")
    shown: list[GroupShown] = []
    for order_id in order_ids:
        await pay(harness, order_id)
        [described] = await ask(harness, OrderGet(actor=user("c"), order=str(order_ids[2])))
        assert isinstance(described, OrderDescribed)
        assert described.group is not None
        shown.append(described.group)
    assert [(one.paid, one.seated, one.size, one.state) for one in shown] == [
        (1, 3, 3, "open"), (2, 3, 3, "open"), (3, 3, 3, "formed")
    ]  # fmt: skip
    assert [one.otherwise for one in shown] == ["cancelled", "cancelled", None]


async def test_a_preview_shows_the_group_and_says_the_code_that_its_order_would_get(harness: HandlerHarness) -> None:
    """The user z would open a group, take its last seat, come too late for it, and so on."""
    for group_id, users in {"full": "abc", "joined": "z", "closed": "a", "open": "ab"}.items():
        await join(harness, *users, group_id=group_id)
    await pay(harness, *[row[0] for row in await harness.rows("SELECT id FROM orders ORDER BY id DESC LIMIT 1")])
    await harness.pool.execute("UPDATE buying_groups SET deadline = now() WHERE group_id = 'closed'")
    wanted = [joining("z", name, request_id=f"z-{name}") for name in ("full", "joined", "closed", "open", "new", None)]
    wanted.insert(0, joining("z", "open", ("s2", 1), request_id="s2"))
    wanted.insert(0, joining("z", "open", business_type="normal", request_id="normal"))
    previews = [
        OrderPreview(
            actor=user("z"), user_id="z", channel="pc", currency="CNY", country="CN", items=body.items,
            business_type=body.business_type, group_id=body.group_id,
        )
        for body in wanted
    ]  # fmt: skip
    statements: list[str] = []
    replies = await ask(harness, *previews, now=datetime.now(UTC), statements=statements)
    shown = [reply for reply in replies if isinstance(reply, OrderPreviewed)]
    groups = {
        one.group.group_id: (one.group.state, one.group.seated, one.group.paid)
        for one in shown
        if one.group is not None
    }
    assert groups == {
        "full": ("open", 3, 0), "joined": ("open", 1, 0), "closed": ("open", 1, 0), "open": ("open", 2, 1),
        "new": ("open", 0, 0),
    }  # fmt: skip
    assert sum("buying_group" in statement for statement in statements) == 2
    await harness.handle(*wanted)
    codes = [(one.refusal.code, one.refusal.details) for one in shown if one.refusal is not None]
    assert codes == harness.rejections()
    assert [code for code, _ in codes] == [
        "ORDER_PARAM_INVALID", "GROUP_GOODS_DIFFER", "GROUP_FULL", "GROUP_ALREADY_JOINED", "GROUP_CLOSED",
        "GROUP_REQUIRED",
    ]  # fmt: skip


async def test_the_first_order_that_is_accepted_fixes_what_its_group_is(harness: HandlerHarness) -> None:
    await harness.handle(settings("seckill", group_size=2, group_window_seconds=60), trusted=True)
    refused = joining("a", business_type="seckill", expected_pay_amount=1)
    await harness.handle(refused, joining("b"), joining("c", business_type="seckill"))
    query = "SELECT size, spu_id, deadline > now() + interval '1 h', deadline = due_at FROM buying_groups, timers"
    assert await harness.rows(f"{query} WHERE kind = 'group'") == [(3, "spu-s1", True, True)]


async def test_a_cancelled_order_gives_its_seat_back_until_the_group_has_formed(harness: HandlerHarness) -> None:
    first, second, third = await join(harness, "a", "b", "c")
    await pay(harness, first, second)
    await harness.handle(cancel(second, actor=user("b")))
    assert await harness.rows("SELECT order_id, amount FROM refunds") == [(second, 1000)]
    [fourth] = await join(harness, "d")
    await pay(harness, third, fourth)
    assert await group_state(harness) == "formed"
    await harness.handle(cancel(first, actor=user("a")))
    await harness.handle(joining("e"))
    assert (await harness.state(first), await group_state(harness)) == ("cancelled", "formed")
    assert harness.rejections()[-1][0] == "GROUP_CLOSED"


async def test_no_operator_releases_an_order_from_its_group(harness: HandlerHarness) -> None:
    [first] = await join(harness, "a")
    await pay(harness, first)
    await harness.handle(release(first), trusted=True)
    await harness.handle(hold(first), trusted=True)
    await harness.handle(release(first, "f2"), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["GROUP_NOT_FORMED"]
    assert [event["kind"] for event in harness.events_of("order.released")] == ["operator"]
    assert await held(harness) == [True]


async def test_a_free_order_is_held_too_and_a_size_is_frozen_when_the_group_opens(harness: HandlerHarness) -> None:
    await harness.handle(template("t1", amount=5000), coupon("c1", "a"), trusted=True)
    first = await harness.create_order(joining("a", coupon_id="c1", expected_pay_amount=0))
    assert (await harness.state(first), await held(harness)) == ("paid", [True])
    await harness.handle(settings("group_buy", revision=2, group_size=2), trusted=True)
    [second] = await join(harness, "b")
    await pay(harness, second)
    assert await group_state(harness) == "open"


async def test_a_full_group_waits_at_its_deadline_for_payments_that_were_reported_before(
    harness: HandlerHarness,
) -> None:
    order_ids = await join(harness, "a", "b", "c")
    await pay(harness, *order_ids[:2])
    await harness.pool.execute("UPDATE buying_groups SET deadline = now() - interval '1 ms'")
    await harness.pool.execute("UPDATE progress SET at = now() - interval '1 min'")
    await harness.pool.execute(
        "UPDATE timers SET due_at = now() - interval '1 s', wake_at = now() WHERE kind = 'group'"
    )
    [key] = (await harness.rows("SELECT id FROM buying_groups"))[0]
    await harness.handle(GroupDue(key=key))
    assert await group_state(harness) == "open"
    assert await harness.pool.fetchval("SELECT wake_at < now() + interval '5 s' FROM timers WHERE kind = 'group'")
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.mark_progress(tx)
    assert await harness.rows("SELECT type FROM outbox") == [("progress.mark.v1",)], "it goes behind these payments"
    await pay(harness, order_ids[2])
    assert await group_state(harness) == "formed"


async def test_a_payment_that_is_handled_while_its_group_is_looked_at_counts(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last payment, and the mark that says so, are committed between two statements of who looks at the group."""
    *others, last = await join(harness, "a", "b", "c")
    await pay(harness, *others)
    await harness.pool.execute("UPDATE buying_groups SET deadline = now()")
    await harness.pool.execute("UPDATE progress SET at = now() - interval '1 min'")
    read = timers.progress

    async def meanwhile(tx: Transaction) -> datetime:
        reports = captured(last, 1000, "t-last"), ProgressMark(at=datetime.now(UTC))
        await harness.handle_batch([harness.envelope(report, trusted=True) for report in reports])
        return await read(tx)

    monkeypatch.setattr(timers, "progress", meanwhile)
    [key] = (await harness.rows("SELECT id FROM buying_groups"))[0]
    await harness.handle(GroupDue(key=key))
    assert await group_state(harness) == "formed"


async def test_an_order_that_is_still_placing_is_cancelled_once_it_is_placed(harness: HandlerHarness) -> None:
    await harness.handle_batch([harness.envelope(joining("a"))])
    [order_id] = (await harness.rows("SELECT id FROM orders"))[0]
    batch = await harness.handle_batch([harness.envelope(OrderGroupFailed(order_id=order_id))])
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["order_placing"]
    await harness.relay()
    for _ in range(2):
        await harness.handle(OrderGroupFailed(order_id=order_id))
    assert await harness.states() == ["cancelled"]
    await harness.handle(OrderGroupFormed(order_id=order_id))
    assert harness.events_of("order.released") == []


async def test_a_payment_that_comes_while_its_group_fails_is_refunded(harness: HandlerHarness) -> None:
    """The order was paid after the group had failed and before it was cancelled."""
    [order_id] = await join(harness, "a")
    [key] = (await harness.rows("SELECT id FROM buying_groups"))[0]
    await harness.pool.execute("UPDATE buying_groups SET state = 'failed', ended_at = now()")
    await pay(harness, order_id)
    assert await harness.states() == ["cancelled"]
    assert await harness.rows("SELECT amount FROM refunds") == [(1000,)]
    await harness.handle(GroupPaid(key=key), GroupDue(key=key), GroupPaid(key=7_000))
    assert len(harness.events_of("order.cancelled")) == 1


async def test_workers_that_fill_the_last_seat_at_once_fill_it_once(harness: HandlerHarness) -> None:
    """Two open the group at once, three take its last seat, and three find it full of paid orders."""
    await harness.handle_overlapping([joining("a")], [joining("b")])
    await harness.handle_overlapping([joining("c")], [joining("d")], [joining("e")])
    assert sorted(code for code, _ in harness.rejections()) == ["GROUP_FULL", "GROUP_FULL"]
    order_ids = [row[0] for row in await harness.rows("SELECT id FROM orders ORDER BY id")]
    paid = [harness.envelope(captured(key, 1000, f"t-{key}"), trusted=True) for key in order_ids]
    await harness.handle_batch(paid)
    await harness.pool.execute("DELETE FROM outbox")
    [key] = (await harness.rows("SELECT id FROM buying_groups"))[0]
    await harness.handle_overlapping([GroupPaid(key=key)], [GroupPaid(key=key)], [GroupDue(key=key)])
    assert len(harness.events_of("group.formed")) == 1
    assert await held(harness) == [False, False, False]
    assert datetime.now(UTC) >= (await harness.rows("SELECT ended_at FROM buying_groups"))[0][0]


async def test_an_order_that_costs_nothing_any_more_waits_for_its_group_as_well(harness: HandlerHarness) -> None:
    first, second, third = await join(harness, "a", "b", "c")
    await harness.handle(adjustment(first, discount=1000), trusted=True)
    assert (await harness.state(first), await held(harness)) == ("paid", [True, False, False])
    await pay(harness, second)
    await harness.handle(adjustment(third, "a2", discount=1000), trusted=True)
    assert (await group_state(harness), await held(harness)) == ("formed", [False, False, False])
