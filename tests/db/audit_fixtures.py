"""The database that the audit's tests check: orders of every kind that end in every way, all made by handlers.

`build` fills a database and then drops its constraints, so that a test can add any violation.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from db.pool import open_pool
from messages.orders import (
    OrderConfirmReceipt,
    OrderDelete,
    OrderMerge,
    OrderNumberIssue,
)
from messages.payments import PaymentResult
from messages.refunds import RefundRequest
from messages.rests import OrderCancelRest, ShortageDecide, ShortageReport, ShortLine
from messages.risk import RiskResult
from messages.timers import TimerDue
from tests.db.audit_after_sale_fixtures import add_cases
from tests.db.audit_authorization_fixtures import add_authorizations
from tests.db.audit_exchange_fixtures import add_exchanges
from tests.db.audit_fulfilment_fixtures import hand_over
from tests.db.audit_group_fixtures import add_groups
from tests.db.audit_notification_fixtures import add_notifications
from tests.db.audit_payment_fixtures import add_attempts, add_disputes, add_statements
from tests.handlers.adjustment_builders import adjustment
from tests.handlers.builders import OPERATOR, book, cancel, captured, create, receive, sku, transfer, update, user
from tests.handlers.catalogue_builders import correction, coupon, grant, promotion, settings, template
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.handlers.import_builders import cancelled as cancelled_elsewhere
from tests.handlers.import_builders import imported, unpaid
from tests.handlers.refund_builders import refund_result
from workers import shop
from workers.domain.shop import OnLatePayment, Policy, Shop

RULES = Shop(
    policy=Policy(rate_limit_orders=0), tax_rates_basis_points={"books": 600}, shipping_fee_minor_units={"CNY": 7}
)
NO_GUARDS = """
DO $$ DECLARE rule record; BEGIN
    FOR rule IN SELECT conrelid::regclass AS place, conname AS name FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'u', 'p')
            AND coninhcount = 0 AND conparentid = 0 LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', rule.place, rule.name);
    END LOOP;
    FOR rule IN SELECT tgrelid::regclass AS place, tgname AS name FROM pg_trigger
        WHERE NOT tgisinternal AND tgparentid = 0 LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', rule.name, rule.place);
    END LOOP;
    FOR rule IN SELECT x.indexname AS name FROM pg_indexes x JOIN pg_class c ON c.oid = x.indexname::regclass
        WHERE x.schemaname = 'public' AND x.indexdef LIKE 'CREATE UNIQUE%' AND NOT c.relispartition LOOP
        EXECUTE format('DROP INDEX %I', rule.name);
    END LOOP;
END $$
"""
Lines = Sequence[tuple[str, int]]


async def build(url: str, *, guarded: bool = False) -> None:
    """Make all orders, then drop every constraint so that any violation can be added."""
    pool = await open_pool(url, application_name="tests")
    harness = HandlerHarness(pool)
    shop.configure(RULES)
    await fill_catalogue(harness)
    for story in (
        plain,
        split,
        merged,
        adjusted,
        paid_late,
        coupons,
        points,
        limited,
        deducted,
        in_question,
        risk_checked,
        numbered,
        add_attempts,
        add_authorizations,
        add_exchanges,
        taken_from_elsewhere,
        add_groups,
    ):
        await story(harness)
    for row in await pool.fetch("SELECT refund_no, amount, currency FROM refunds WHERE state <> 'failed'"):
        await harness.handle(refund_result(dict(row)), trusted=True)
    await hand_over(harness, RULES)
    for row in await pool.fetch("SELECT refund_no, amount, currency FROM refunds WHERE state = 'requested'"):
        await harness.handle(refund_result(dict(row)), trusted=True)
    await add_cases(harness)
    await add_statements(harness)
    await add_disputes(harness)
    await add_notifications(harness)
    if not guarded:
        await pool.execute(NO_GUARDS)
    await pool.close()


async def taken_from_elsewhere(harness: HandlerHarness) -> None:
    """Take orders of another system."""
    await harness.handle(imported(), cancelled_elsewhere(), unpaid(), trusted=True)


async def fill_catalogue(harness: HandlerHarness) -> None:
    """Fill the catalogue: s1, s2, another seller's book that earns points, promotions, coupons, business types."""
    book_of_acme = {"seller_id": "acme", "tax_class": "books", "gift_points": 10, "gift_growth": 5}
    await harness.fill_stock(qty=80)
    await harness.handle(sku("b1", price=900).model_copy(update=book_of_acme), sku("f1"), sku("p1"), sku("f2"))
    await harness.handle(*(receive(name, 50) for name in ("b1", "f1", "p1")), receive("f2", 1))
    await harness.handle(
        promotion("flash", kind="flash", scope_id="spu-f1", prices={"f1": 300}, quantity=6),
        promotion("club", scope_id="spu-p1", prices={"p1": 450}, per_user_limit=3),
    )
    await harness.handle(template(), *(coupon(f"c{n}") for n in range(1, 11)), grant(3000))
    await harness.handle(transfer(("b1", 3), ("p1", 2)))
    await harness.handle(correction(500, "a1"), correction(-500, "a2"), trusted=True)
    await harness.handle(
        settings("seckill", deduct_on="create"),
        settings("group_buy", deduct_on="ship", on_shortage="ask_then_cancel"),
        trusted=True,
    )


# actions of buyers and operators


async def place_order(harness: HandlerHarness, *lines: tuple[str, int], **changes: Any) -> int:
    """Place an order that awaits payment; return the id of its root."""
    harness.count += 1
    body = create(*lines, request_id=f"w{harness.count}", **changes)
    await harness.handle(body)
    refused = harness.events_of("command.rejected")
    if refused and refused[-1]["code"] == "ORDER_PRICE_MISMATCH":
        harness.events.remove(refused[-1])
        return await place_order(
            harness, *lines, **changes | {"expected_pay_amount": refused[-1]["details"]["expected"]}
        )
    [root] = [
        e for e in harness.events_of("order.created") if e["request_id"] == body.request_id and e["parent_id"] is None
    ]
    return int(root["order_id"])


async def place_paid_order(harness: HandlerHarness, *lines: tuple[str, int], **changes: Any) -> int:
    """Place an order and pay it; return the id of its root."""
    order_id = await place_order(harness, *lines, **changes)
    await pay(harness, order_id)
    return order_id


async def pay(harness: HandlerHarness, order_id: int, trade_no: str = "") -> None:
    await harness.handle(
        captured(order_id, await harness.payable(order_id), trade_no or f"trade-{order_id}"), trusted=True
    )


async def children(harness: HandlerHarness, order_id: int) -> list[int]:
    rows = await harness.pool.fetch("SELECT id FROM orders WHERE parent_id = $1 ORDER BY id", order_id)
    return [row["id"] for row in rows]


async def cancel_all(harness: HandlerHarness, *order_ids: int) -> None:
    await harness.handle(*(cancel(order_id, f"x{order_id}") for order_id in order_ids))


async def parcel(harness: HandlerHarness, order_id: int, *steps: str, lines: Lines = ()) -> None:
    """Ship one parcel of all units that are left, or of these, and report its statuses."""
    harness.count += 1
    number = f"P{harness.count}"
    await harness.handle(book(order_id, number, *lines))
    for step in steps:
        await harness.handle(update(order_id, number, step))


async def receive_order(harness: HandlerHarness, order_id: int) -> None:
    """Deliver a paid order and confirm its receipt."""
    await parcel(harness, order_id, "outbound", "delivered")
    await harness.handle(OrderConfirmReceipt(request_id=f"ok{order_id}", actor=user(), order_id=order_id))


async def request_refund(harness: HandlerHarness, order_id: int, amount: int) -> None:
    harness.count += 1
    wish = RefundRequest(
        request_id=f"g{harness.count}", actor=OPERATOR, order_id=order_id, amount=amount, reason="sorry"
    )
    await harness.handle(wish, trusted=True)


# scenarios


async def plain(harness: HandlerHarness) -> None:
    """Orders: completed, paid too late, cancelled after payment, lost, in one parcel, without stock, still waiting."""
    done = await place_paid_order(harness, ("s1", 1), ("s2", 2))
    await parcel(harness, done, "outbound", "delivered", lines=[("s1", 1)])
    await receive_order(harness, done)
    late = await place_order(harness, ("s1", 2))
    await cancel_all(harness, late)
    await pay(harness, late, "late-1")
    await cancel_all(harness, await place_paid_order(harness, ("s1", 1)))
    await parcel(harness, await place_paid_order(harness, ("s2", 1)), "outbound", "lost", "loss_confirmed")
    await harness.handle(create(("s1", 9_999), request_id="big", expected_pay_amount=9_999 * 500 + 7))
    await place_order(harness, ("s1", 3))
    first, second = [await place_paid_order(harness, ("s1", 1)) for _ in range(2)]
    await harness.handle(book(first, "together"), book(second, "together"), update(first, "together", "delivered"))
    rest = await place_paid_order(harness, ("s1", 3), ("s2", 1))
    await parcel(harness, rest, "outbound", "delivered", lines=[("s1", 1)])
    lacking = ShortLine(sku_id="s1", qty=1)
    await harness.handle(ShortageReport(request_id="lack", order_id=rest, lines=(lacking,)), trusted=True)
    await harness.handle(OrderCancelRest(request_id="rest", actor=user(), order_id=rest))
    held = await place_paid_order(harness, ("s1", 1))
    await harness.handle(hold(held), hold(held, "h2"), hold(await place_order(harness, ("s1", 1))), trusted=True)
    one = int(harness.events_of("order.held")[0]["hold_id"])
    await harness.handle(release(held, hold_id=one), trusted=True)
    ended = await place_paid_order(harness, ("s1", 1))
    await harness.handle(hold(ended), trusted=True)
    await cancel_all(harness, ended)
    partly = await place_paid_order(harness, ("s1", 2), ("s2", 1))
    await parcel(harness, partly, "outbound", "lost", lines=[("s2", 1)])
    await cancel_all(harness, partly)


async def split(harness: HandlerHarness) -> None:
    """Split orders: a child ships and another is cancelled; others wait, end unpaid, lack stock, are paid late."""
    goods, other = await children(harness, await place_paid_order(harness, ("s1", 1), ("b1", 2)))
    await cancel_all(harness, goods)
    await receive_order(harness, other)
    await request_refund(harness, other, 500)
    whole = await place_paid_order(harness, ("s1", 1), ("b1", 1))
    await cancel_all(harness, whole)
    unpaid = await place_order(harness, ("s1", 1), ("b1", 1))
    await cancel_all(harness, unpaid)
    await pay(harness, unpaid)
    await place_order(harness, ("s2", 1), ("b1", 1))
    await harness.handle(create(("s1", 1), ("b1", 9_999), request_id="huge", expected_pay_amount=500 + 9_999 * 954 + 7))


async def merged(harness: HandlerHarness) -> None:
    """Merged orders: one payment for two, of which one is split; a second payment of it; parts are cancelled."""
    one, two = await place_order(harness, ("s1", 1)), await place_order(harness, ("s2", 1), ("b1", 1))
    paid = await merge(harness, one, two)
    await harness.handle(paid("merged-1"), paid("merged-2"), trusted=True)
    await cancel_all(harness, one)
    gone, here = await children(harness, two)
    await cancel_all(harness, gone)
    await parcel(harness, here, "outbound", "delivered")
    first, second = await place_order(harness, ("s1", 1)), await place_order(harness, ("s2", 1))
    too_late = await merge(harness, first, second)
    await cancel_all(harness, second)
    await harness.handle(too_late("merged-3"), trusted=True)
    await pay(harness, first)


async def merge(harness: HandlerHarness, *order_ids: int) -> Any:
    """The payment of all these orders, for a trade number."""
    await harness.handle(OrderMerge(request_id=f"m{order_ids[0]}", actor=user(), order_ids=order_ids))
    event = harness.events_of("order.merged")[-1]

    def paid(trade_no: str) -> PaymentResult:
        whole = captured(order_ids[-1], event["amount"], trade_no)
        return whole.model_copy(update={"intent_id": int(event["intent_id"])})

    return paid


async def adjusted(harness: HandlerHarness) -> None:
    """Orders whose price was changed: one waits, merged with another; a split one is paid and partly cancelled."""
    one, two = await place_order(harness, ("s1", 2), ("s2", 1)), await place_order(harness, ("s2", 1))
    await merge(harness, one, two)
    parted = await place_order(harness, ("s1", 1), ("b1", 1))
    wanted = [
        adjustment(one, "w1", discount=101, shipping=3),
        adjustment(one, "w2", lines={2: -50}),
        adjustment(two, "w3", discount=-1),
        adjustment(parted, "w4", discount=77, shipping=0),
    ]
    await harness.handle(*wanted, trusted=True)
    await pay(harness, parted)
    await cancel_all(harness, (await children(harness, parted))[0])
    free = await place_order(harness, ("s1", 1))
    await harness.handle(adjustment(free, "w5", discount=500, shipping=0), trusted=True)


async def paid_late(harness: HandlerHarness) -> None:
    """Orders that timed out and were paid then: reinstated, whole and split, and one without its goods."""
    shop.configure(replace(RULES, policy=replace(RULES.policy, on_late_payment=OnLatePayment.REINSTATE_IF_STOCK)))
    whole, parted = (
        await place_order(harness, ("s1", 1), coupon_id="c10", use_points=100),
        await place_order(harness, ("s1", 1), ("b1", 1)),
    )
    lacking = await place_order(harness, ("f2", 1), use_points=100, coupon_id="c9")
    await time_out(harness, whole, parted, lacking)
    await place_order(harness, ("f2", 1))
    await pay(harness, whole)
    await pay(harness, parted)
    await pay(harness, lacking, "lacking")
    shop.configure(RULES)


async def time_out(harness: HandlerHarness, *order_ids: int) -> None:
    """Let the payment timers of these orders fire."""
    late = "UPDATE timers SET due_at = now() - interval '1 s' WHERE kind = 'payment' AND key = ANY($1::bigint[])"
    await harness.pool.execute(late, order_ids)
    await harness.mark_progress()
    due = datetime.now(UTC)
    await harness.handle(*(TimerDue(kind="payment", key=key, due_at=due) for key in order_ids))


async def in_question(harness: HandlerHarness) -> None:
    """Orders of which a unit is short: the buyer has not answered; takes the rest; cancels all; another cancels."""
    ids = [await place_paid_order(harness, ("s1", 2), business_type="group_buy") for _ in range(4)]
    lacking = (ShortLine(sku_id="s1", qty=1),)
    await harness.handle(*(ShortageReport(request_id="lack", order_id=key, lines=lacking) for key in ids), trusted=True)
    for key, decision in ((ids[1], "ship_rest"), (ids[2], "cancel_rest")):
        about = {"request_id": "answer", "actor": user(), "order_id": key, "decision": decision}
        await harness.handle(ShortageDecide.model_validate(about))
    await receive_order(harness, ids[1])
    await cancel_all(harness, ids[3])


async def coupons(harness: HandlerHarness) -> None:
    """Coupons: locked; used and partly refunded; released; returned with the last child and used again; expired."""
    await place_order(harness, ("s1", 1), coupon_id="c1")
    await request_refund(harness, await place_paid_order(harness, ("s1", 1), coupon_id="c2"), 100)
    await cancel_all(harness, await place_order(harness, ("s1", 1), coupon_id="c3"))
    parts = await children(harness, await place_paid_order(harness, ("s1", 1), ("b1", 1), coupon_id="c4"))
    for part in parts:
        await cancel_all(harness, part)
    await harness.handle(OrderDelete(request_id="hide", actor=user(), order_ids=(parts[0],)))
    await place_paid_order(harness, ("s1", 1), coupon_id="c4")
    forgotten = await place_order(harness, ("s1", 1), coupon_id="c7")
    await harness.pool.execute("UPDATE coupons SET valid_to = now() WHERE coupon_id = 'c7'")
    await cancel_all(harness, forgotten)
    await harness.handle(create(("s1", 9_999), request_id="c5", coupon_id="c5", expected_pay_amount=9_999 * 500 - 93))


async def points(harness: HandlerHarness) -> None:
    """Points: held; used; used with a third returned; released; returned; earned; earned and taken away again.

    Two refunds fail, so what points followed them is undone.
    """
    await place_order(harness, ("s1", 1), use_points=200)
    await place_paid_order(harness, ("s1", 2), use_points=100)
    used = await place_paid_order(harness, ("s1", 2), use_points=300)
    await request_refund(harness, used, await harness.payable(used) // 3)
    await cancel_all(harness, await place_order(harness, ("s1", 1), use_points=100))
    await cancel_all(harness, await place_paid_order(harness, ("s1", 1), use_points=200))
    await cancel_all(
        harness, (await children(harness, await place_paid_order(harness, ("s1", 2), ("b1", 1), use_points=400)))[1]
    )
    await receive_order(harness, await place_paid_order(harness, ("b1", 1)))
    earned = await place_paid_order(harness, ("b1", 3))
    await receive_order(harness, earned)
    await request_refund(harness, earned, await harness.payable(earned) // 2)
    for order_id in (used, earned):
        await request_refund(harness, order_id, 100)
        failed = harness.events_of("refund.requested")[-1]
        await harness.handle(refund_result(failed, "failed"), trusted=True)


async def limited(harness: HandlerHarness) -> None:
    """Flash sales: all units sold and one order refused; units given back; sold again."""
    await place_paid_order(harness, ("f1", 2))
    await cancel_all(harness, await place_paid_order(harness, ("f1", 3)), await place_order(harness, ("f1", 1)))
    await place_order(harness, ("f1", 5), ("p1", 2))
    await cancel_all(harness, await place_paid_order(harness, ("p1", 1), ("b1", 1)))


async def deducted(harness: HandlerHarness) -> None:
    """Orders whose stock is deducted when created, and when shipped: waiting, ended, paid and shipped."""
    for kind in ("seckill", "group_buy"):
        await place_order(harness, ("s1", 1), business_type=kind)
        await cancel_all(harness, await place_order(harness, ("s1", 1), business_type=kind))
        await place_paid_order(harness, ("s1", 1), business_type=kind)
        await cancel_all(harness, await place_paid_order(harness, ("s1", 1), business_type=kind))
        await parcel(
            harness, await place_paid_order(harness, ("s1", 2), business_type=kind), "outbound", lines=[("s1", 1)]
        )
        await receive_order(harness, await place_paid_order(harness, ("s1", 1), business_type=kind))


async def risk_checked(harness: HandlerHarness) -> None:
    """Orders that wait for a risk check: one passes, one is blocked."""
    shop.configure(Shop(policy=RULES.policy, risk_check=True))
    for verdict in ("passed", "rejected"):
        await harness.handle(create(("s1", 1), request_id=verdict, coupon_id="c6", expected_pay_amount=400))
        order_id = int(harness.events_of("risk.requested")[-1]["order_id"])
        await harness.handle(RiskResult(order_id=order_id, verdict=verdict), trusted=True)
        await cancel_all(harness, order_id)
    shop.configure(RULES)


async def numbered(harness: HandlerHarness) -> None:
    """An order with a number that was issued before, and a number that no order has used."""
    for n in range(2):
        await harness.handle(OrderNumberIssue(request_id=f"n{n}", actor=user(), user_id="u1", channel="pc"))
    await place_order(harness, ("s1", 1), order_no=harness.events_of("order_number.issued")[-1]["order_no"])
