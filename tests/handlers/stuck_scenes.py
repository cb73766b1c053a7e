"""Orders that wait for each thing that may be awaited, made old; and what their explanations say that they wait for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from messages.buying_groups import GroupPaid
from messages.fulfilments import FulfilmentAccept, FulfilmentRefuse
from messages.risk import RiskResult
from tests.handlers import waybill_builders
from tests.handlers.alipay_payments import start
from tests.handlers.authorization_builders import authorize, paid_at_hand_over, report, short
from tests.handlers.builders import OPERATOR, book, cancel, captured, create, update
from tests.handlers.cancellation_builders import cancel_later
from tests.handlers.case_builders import apply, arrive, inspect, open_case, review, ship_back
from tests.handlers.catalogue_builders import settings
from tests.handlers.exchange_builders import exchange
from tests.handlers.fulfilment_builders import fact
from tests.handlers.group_builders import joining
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from tests.handlers.order_endings import place_without_stock_answer
from tests.handlers.refund_builders import dispute, evidence, refund_result, request_refund
from workers import shop
from workers.domain.after_sale_policy import AfterSaleRules, ExchangeShips
from workers.domain.shop import OnShortage, Policy, Shop
from workers.services.stuck_answers import explain
from workers.views.awaits import Awaited, Awaits
from workers.views.wait_limits import LIMITS, which

PLAIN = Shop(policy=Policy(rate_limit_orders=0), carriers={"sf": "push"})
IN_WAREHOUSE = replace(PLAIN, fulfilment_warehouses={"main": frozenset()})
EARLY = AfterSaleRules(exchange_ships=ExchangeShips.AT_APPROVAL)
LONG_AGO = timedelta(days=400)
AGED = {
    "timers": ("due_at", "wake_at"),
    "orders": ("created_at", "expire_at", "paid_at", "shipped_at", "delivered_at"),
    "operate_logs": ("at",),
    "payment_attempts": ("started_at", "expire_at"),
    "payment_authorizations": ("updated_at", "not_taken_at"),
    "captcha_challenges": ("required_at", "until"),
    "scheduled_cancellations": ("at", "scheduled_at"),
    "order_holds": ("placed_at", "held_since"),
    "buying_groups": ("opened_at", "deadline", "ended_at"),
    "fulfilments": ("requested_at", "updated_at"),
    "waybills": ("requested_at",),
    "shipments": ("booked_at", "outbound_at"),
    "refunds": ("requested_at", "finished_at"),
    "after_sales": ("requested_at", "processed_at", "received_at"),
    "after_sale_steps": ("at",),
    "after_sale_send_backs": ("requested_at",),
    "payment_disputes": ("occurred_at", "due_at"),
}
"""Table -> the times that tell since when something waits."""


async def age(harness: HandlerHarness, by: timedelta = LONG_AGO) -> None:
    """Move all times that tell since when something waits into the past."""
    async with harness.pool.acquire() as tx, tx.transaction():
        await tx.execute("SET LOCAL session_replication_role = replica")  # steps are immutable
        for table, columns in AGED.items():
            moved = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            await tx.execute(f"UPDATE {table} SET {moved}", by)


async def everything_waits(harness: HandlerHarness) -> None:
    """Place orders of which at least one waits for each thing that has a limit."""
    shop.configure(PLAIN)
    await harness.fill_stock(100)
    await harness.fill_stock(100, 800, ["dear"])
    await _unpaid(harness)
    await _groups(harness)
    await _in_warehouses(harness)
    await _parcels(harness)
    await _money(harness)
    await _cases(harness)
    await _exchanges(harness)


async def _paid(harness: HandlerHarness, qty: int = 2) -> int:
    return await harness.place_another_paid_order(("s1", qty))


async def _delivered(harness: HandlerHarness) -> int:
    order_id = await _paid(harness)
    await harness.deliver(order_id)
    return order_id


async def _unpaid(harness: HandlerHarness) -> None:
    await place_without_stock_answer(harness, create(("s1", 1), request_id="silent"))
    shop.configure(replace(PLAIN, risk_check=True))
    challenged = await place_without_stock_answer(harness, create(("s1", 1), request_id="challenged"))
    await harness.handle(RiskResult(order_id=challenged, verdict="captcha_required"), trusted=True)
    shop.configure(PLAIN)
    await harness.place_order()
    attempted = await harness.place_order()
    await harness.handle(hold(await harness.place_order(), "hold-unpaid"), trusted=True)
    await harness.handle(cancel_later(await harness.place_order()))
    with paid_at_hand_over():
        await harness.handle(start(attempted, 1000, "open"))
    shop.configure(PLAIN)


async def _groups(harness: HandlerHarness) -> None:
    """One group is open; of another that has formed and of one that has failed, the messages to the orders are lost."""
    await harness.handle(settings("group_buy", group_size=2), trusted=True)
    for group_id, users in {"open": "a", "formed": "ab", "failed": "a"}.items():
        orders = [await harness.create_order(joining(user_id, group_id)) for user_id in users]
        await harness.pay(orders[0])
        for order_id in orders[1:]:
            await harness.handle_batch([harness.envelope(captured(order_id, 1000, "t-last"), trusted=True)])
        if group_id == "failed":
            await harness.pool.execute("UPDATE buying_groups SET deadline = now() WHERE group_id = 'failed'")
            await harness.mark_progress()
        (group,) = await harness.rows(f"SELECT id FROM buying_groups WHERE group_id = '{group_id}'")
        await harness.handle_batch([harness.envelope(GroupPaid(key=group[0]))])
        await harness.pool.execute("DELETE FROM outbox")


async def _in_warehouses(harness: HandlerHarness) -> None:
    shop.configure(replace(IN_WAREHOUSE, policy=replace(PLAIN.policy, on_shortage=OnShortage.ASK_THEN_SHIP)))
    orders = [await _paid(harness) for _ in range(8)]
    for order_id in orders[1:5]:
        await harness.handle(fact(FulfilmentAccept, order_id))
    await harness.handle(cancel(orders[2], "stop", OPERATOR), trusted=True)
    await harness.handle(hold(orders[3], "hold-at-work"), trusted=True)
    await harness.handle(short(orders[4], "s1"), trusted=True)
    await harness.handle(fact(FulfilmentRefuse, orders[5], reason_code="FULL"))
    await harness.handle(hold(orders[6], "hold-requested"), trusted=True)
    shop.configure(PLAIN)


async def _parcels(harness: HandlerHarness) -> None:
    await _paid(harness)
    await _delivered(harness)
    await harness.handle(hold(await _delivered(harness), "hold-delivered"), trusted=True)
    for number, statuses in enumerate(
        ((), ("outbound",), ("outbound", "lost"), ("outbound", "delivered", "returning"))
    ):
        order_id = await _paid(harness)
        await harness.handle(book(order_id, f"P{number}", ("s1", 1)))
        for status in statuses:
            await harness.handle(update(order_id, f"P{number}", status))
    rest_shipped = await _paid(harness)
    await harness.handle(short(rest_shipped, "s1"), trusted=True)
    await harness.handle(book(rest_shipped, "P-rest", ("s1", 1)))
    await waybill_builders.create(harness, await _paid(harness), "wanted")
    unused = await _paid(harness)
    await waybill_builders.create(harness, unused, "unused")
    await harness.handle(cancel(unused, "too-late", OPERATOR), trusted=True)
    await harness.handle(await waybill_builders.answer(harness, "SF-unused"))


async def _money(harness: HandlerHarness) -> None:
    order_id = await _paid(harness)
    for number in range(3):
        await harness.handle(request_refund(order_id, f"money-{number}", 100 + number), trusted=True)
    _, failed, replaced = harness.events_of("refund.requested")[-3:]
    await harness.handle(refund_result(failed, "failed"), refund_result(replaced, "failed"), trusted=True)
    again: dict[str, Any] = {"replaces": replaced["refund_no"]}
    await harness.handle(request_refund(order_id, "money-4", 102, **again), trusted=True)
    given_otherwise = await _paid(harness)
    for number, (amount, status) in enumerate(((600, "failed"), (700, "succeeded"))):
        await harness.handle(request_refund(given_otherwise, f"other-{number}", amount), trusted=True)
        await harness.handle(refund_result(harness.events_of("refund.requested")[-1], status), trusted=True)
    disputed = [await _paid(harness) for _ in range(2)]
    now = datetime.now(UTC)
    about: list[dict[str, Any]] = [
        {"dispute_no": f"D{number}", "trade_no": f"t-{order_id}", "occurred_at": now}
        for number, order_id in enumerate(disputed)
    ]
    await harness.handle(dispute(**about[0], due_at=now + timedelta(days=14)), dispute(**about[1]))
    await harness.handle(evidence(dispute_no="D0"), trusted=True)
    await harness.pool.execute("UPDATE dispute_evidence SET state = 'refused'")  # so it is to be answered still
    with paid_at_hand_over():
        for status in ("capturing", "failed"):
            await _authorized(harness, status)
    shop.configure(PLAIN)


async def _authorized(harness: HandlerHarness, status: str) -> None:
    """The money of an order is being captured, or could not be."""
    order_id = await harness.place_order()
    attempt_id = await authorize(harness, order_id)
    await harness.handle(fact(FulfilmentAccept, order_id))
    await harness.deliver(order_id)
    if status == "failed":
        await report(harness, attempt_id, "failed", await harness.payable(order_id))


async def _cases(harness: HandlerHarness) -> None:
    cases = [await open_case(harness, apply(await _delivered(harness), (1, 1), type="return_refund")) for _ in range(8)]
    await harness.handle(*(review(case) for case in cases[1:]), trusted=True)
    for number, case in enumerate(cases[2:]):
        await harness.handle(ship_back(case, f"B{number}"))
    await harness.handle(*(arrive(case) for case in cases[3:]), trusted=True)
    await harness.handle(*(inspect(case, (1, 1, "send_back")) for case in (cases[4], cases[7])), trusted=True)
    await harness.handle(review(cases[7], "reject"), trusted=True)
    for case, status in ((cases[5], None), (cases[6], "failed")):
        await harness.handle(inspect(case, (1, 1, "restock")), trusted=True)
        if status is not None:
            await harness.handle(refund_result(harness.events_of("refund.requested")[-1], status), trusted=True)


async def _exchanges(harness: HandlerHarness) -> None:
    for number, wanted in enumerate(("s2", "dear")):
        case = await open_case(harness, exchange(await _delivered(harness), (1, 1, wanted)))
        await harness.handle(review(case), trusted=True)
        await harness.handle(ship_back(case, f"X{number}"))
        await harness.handle(arrive(case), trusted=True)
        await harness.handle(inspect(case, (1, 1, "restock")), trusted=True)
    shop.configure(replace(PLAIN, policy=replace(PLAIN.policy, after_sale=EARLY)))
    case = await open_case(harness, exchange(await _delivered(harness), (1, 1, "s2")))
    await harness.handle_batch([harness.envelope(review(case), trusted=True)])
    await harness.pool.execute("DELETE FROM outbox")  # what stock was to reserve is lost
    shop.configure(PLAIN)


async def explained(harness: HandlerHarness) -> dict[tuple[int, str, str], Awaited]:
    """What all orders wait for, as order.explain says, but for what the list of stuck ones leaves to another row."""
    async with harness.pool.acquire() as tx, tx.transaction():
        ids = [row["id"] for row in await tx.fetch("SELECT id FROM orders")]
        found = await explain(tx, ids)
        in_case = {
            row["order_id"] for row in await tx.fetch("SELECT order_id FROM after_sales WHERE completed_at IS NULL")
        }
        deferred = {
            row["refund_no"] for row in await tx.fetch("SELECT refund_no FROM refunds WHERE state = 'deferred'")
        }
    return {
        key: one
        for key, (whole, one) in found.items()
        if one.what in LIMITS
        and not (one.what is Awaits.RECEIPT and (whole.head.held or one.order_id in in_case))
        and not (one.what in (Awaits.RESERVATION, Awaits.PAYMENT) and whole.head.parent_id is not None)
        and one.ref not in deferred
        and key == (one.order_id, one.what, which(one))
    }
