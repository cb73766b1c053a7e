"""Histories of many orders over several days, and a fold of the log that counts each figure of a day anew."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from messages.orders import OrderConfirmReceipt
from messages.rests import ShortageReport, ShortLine
from tests.handlers.builders import OPERATOR, book, cancel, captured, create, receive, sku, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.order_endings import UNPAID_ENDS
from workers import shop
from workers.domain.shop import OnLatePayment, Policy, Shop

Basket: TypeAlias = tuple[tuple[str, int], ...]
ZONE = ZoneInfo("Asia/Shanghai")
DAYS = tuple(date(2026, 3, number) for number in range(1, 5))
PRICES = {"s1": 500, "s2": 333, "card": 777, "gift": 0, "usd": 901}
"""SKU -> its price. `card` is virtual, so that an order of it and of other goods is split; `usd` costs dollars."""


async def stock_up(harness: HandlerHarness) -> None:
    """Sell goods of two kinds and currencies, in a shop that reinstates orders which are paid late."""
    rules = Policy(rate_limit_orders=0, on_late_payment=OnLatePayment.REINSTATE_IF_STOCK)
    shop.configure(Shop(policy=rules))
    special: dict[str, dict[str, Any]] = {"card": {"product_type": "virtual"}, "usd": {"currency": "USD"}}
    await harness.handle(*(sku(name, price=price, **special.get(name, {})) for name, price in PRICES.items()))
    await harness.handle(*(receive(name, 1000) for name in PRICES))
    harness.events.clear()


async def paid(harness: HandlerHarness, *lines: tuple[str, int]) -> int:
    """Place an order and pay it."""
    harness.count += 1
    currency = "USD" if lines[0][0] == "usd" else "CNY"
    due = sum(PRICES[name] * qty for name, qty in lines)
    body = create(*lines, request_id=f"day-{harness.count}", currency=currency, expected_pay_amount=due)
    order_id = await harness.create_order(body)
    if due:
        await harness.handle(captured(order_id, due, f"t-{order_id}", currency=currency), trusted=True)
    return order_id


async def cancelled_after_payment(harness: HandlerHarness, lines: Basket) -> None:
    order_id = await paid(harness, *lines)
    await harness.handle(cancel(order_id, f"c-{order_id}", OPERATOR), trusted=True)


async def all_delivered(harness: HandlerHarness, lines: Basket) -> None:
    order_id = await paid(harness, *lines)
    for part in await harness.children(order_id) or [order_id]:
        await harness.deliver(part)


async def received_early(harness: HandlerHarness, lines: Basket) -> None:
    order_id = await paid(harness, *lines)
    for part in await harness.children(order_id) or [order_id]:
        await harness.handle(book(part, f"T-{part}"), update(part, f"T-{part}", "outbound"))
        await harness.handle(OrderConfirmReceipt(request_id=f"got-{part}", actor=user(), order_id=part))


async def all_lost(harness: HandlerHarness, lines: Basket) -> None:
    order_id = await paid(harness, *lines)
    for part in await harness.children(order_id) or [order_id]:
        await harness.handle(book(part, f"T-{part}"))
        for status in ("outbound", "lost", "loss_confirmed"):
            await harness.handle(update(part, f"T-{part}", status))


async def nothing_on_the_shelf(harness: HandlerHarness, lines: Basket) -> None:
    order_id = await paid(harness, *lines)
    for part in await harness.children(order_id) or [order_id]:
        found = await harness.rows("SELECT sku_id, qty FROM order_items WHERE order_id = $1", part)
        short = tuple(ShortLine(sku_id=name, qty=qty) for name, qty in found)
        await harness.handle(ShortageReport(request_id=f"s-{part}", order_id=part, lines=short), trusted=True)


async def paid_late(harness: HandlerHarness, lines: Basket) -> None:
    harness.count += 1
    lines = tuple((name, qty) for name, qty in lines if name not in ("usd", "gift")) or (("s1", 1),)
    due = sum(PRICES[name] * qty for name, qty in lines)
    order_id = await harness.create_order(create(*lines, request_id=f"l-{harness.count}", expected_pay_amount=due))
    await harness.sweep("payment")
    await harness.handle(captured(order_id, due, f"late-{order_id}"), trusted=True)


async def refused(harness: HandlerHarness, lines: Basket) -> None:
    harness.count += 1
    await harness.handle(create(*lines, request_id=f"no-{harness.count}", expected_pay_amount=1))


ENDS: Mapping[str, Callable[[HandlerHarness, Basket], Awaitable[None]]] = {
    "cancelled after payment": cancelled_after_payment,
    "delivered": all_delivered,
    "received early": received_early,
    "lost": all_lost,
    "short": nothing_on_the_shelf,
    "paid late": paid_late,
    "refused": refused,
}
BASKETS = ((("s1", 1),), (("s2", 3),), (("s1", 1), ("card", 2)), (("usd", 2),), (("gift", 1),))


async def live(harness: HandlerHarness, orders: int, random: Random) -> None:
    """Let so many orders with drawn baskets end in drawn ways, and each way at least once."""
    ends = [*ENDS, *UNPAID_ENDS]
    drawn = [*ends, *random.choices(ends, k=max(0, orders - len(ends)))]
    for number, end in enumerate(drawn):
        if end in UNPAID_ENDS:
            await UNPAID_ENDS[end][0](harness, create(("s1", 2), request_id=f"u-{number}"))
        else:
            await ENDS[end](harness, random.choice(BASKETS))


STEPS = (
    "SELECT order_id, version FROM operate_logs ORDER BY order_id, version",
    "UPDATE operate_logs l SET at = n.at"
    " FROM unnest($1::bigint[], $2::integer[], $3::timestamptz[]) AS n (id, version, at)"
    " WHERE l.order_id = n.id AND l.version = n.version",
)
OUTCOMES = (
    "SELECT scope, request_id FROM commands WHERE decided_at IS NOT NULL ORDER BY scope, request_id",
    "UPDATE commands c SET decided_at = n.at"
    " FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS n (scope, id, at)"
    " WHERE c.scope = n.scope AND c.request_id = n.id",
)


async def spread(harness: HandlerHarness, random: Random) -> None:
    """Move every step and every refusal to a drawn moment, often to the very edge of a day."""
    edges = [datetime.combine(day, datetime.min.time(), ZONE) for day in DAYS]

    def moment() -> datetime:
        edge = random.choice(edges)
        return edge + random.choice(
            [timedelta(0), timedelta(microseconds=-1), timedelta(seconds=random.randrange(86400))]
        )

    async with harness.pool.acquire() as tx, tx.transaction():
        await tx.execute("SET LOCAL session_replication_role = replica")  # the log is immutable
        for rows, move in (STEPS, OUTCOMES):
            keys = [tuple(row) for row in await tx.fetch(rows)]
            await tx.execute(move, *map(list, zip(*keys, strict=True)), [moment() for _ in keys])


LOG = """
SELECT l.order_id, l.at, l.remark, l.cur_state, l.cause_type, o.currency, o.payable_amount, o.parent_id, o.kind
FROM operate_logs l JOIN orders o ON o.id = l.order_id ORDER BY l.order_id, l.version
"""
PAYS = {"captured", "authorized", "nothing_to_pay"}
TIMEOUTS = {"placing_expired", "payment_expired", "not_reinstated"}


async def folded(harness: HandlerHarness, currency: str | None = None) -> dict[date, Counter[str]]:
    """Day -> its figures, counted from the triggers of the steps, each with the state that the step before led to."""
    found: dict[date, Counter[str]] = {day: Counter() for day in DAYS}
    states: dict[int, str] = {}
    for row in await harness.pool.fetch(LOG):
        tally = found.setdefault(row["at"].astimezone(ZONE).date(), Counter())
        previous, states[row["order_id"]] = states.get(row["order_id"], ""), row["cur_state"]
        if row["kind"] != "exchange" and currency in (None, row["currency"]):
            tally.update(_goods(row["remark"], previous))
            if row["parent_id"] is None:
                tally.update(_whole(row["remark"], previous, row["cur_state"]))
                tally[row["currency"]] += row["payable_amount"] if row["remark"] in PAYS else 0
    for row in await harness.pool.fetch("SELECT decided_at, outcome_type FROM commands WHERE decided_at IS NOT NULL"):
        tally = found.setdefault(row["decided_at"].astimezone(ZONE).date(), Counter())
        tally["exceptions"] += row["outcome_type"].split(".")[1] == "rejected"
    return found


def _goods(trigger: str, previous: str) -> list[str]:
    if trigger == "all_delivered" or (trigger == "receipt_confirmed" and previous == "shipped"):
        return ["fulfilled"]
    return ["unfulfilled"] if trigger in {"all_failed", "all_short"} else []


def _whole(trigger: str, previous: str, state: str) -> list[str]:
    names = {"reserved": ["created"], **{pay: ["paid"] for pay in PAYS}}.get(trigger, [])
    if state == "cancelled" and previous not in {"cancelled", "reinstating"}:
        names = ["cancelled", *(["unpaid"] if previous == "awaiting_payment" else [])]
    return [*names, *(["timeouts"] if trigger in TIMEOUTS else [])]
