"""For every kind of message: what must be there before n of them make sense, and the n messages."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, cast
from uuid import uuid4

from messages.base import Message
from messages.captchas import OrderCaptchaAnswer
from messages.carts import CartPut, CartRemove
from messages.orders import (
    OrderChangeAddress,
    OrderConfirmReceipt,
    OrderCreate,
    OrderDelete,
    OrderMerge,
    OrderNumberIssue,
)
from messages.payments import ProgressMark
from messages.refunds import RefundRequest, RefundResult
from messages.rests import OrderCancelRest, ShortageDecide, ShortageDue, ShortageReport, ShortLine
from messages.risk import RiskResult
from messages.shipments import ShipmentBook
from messages.stock import (
    StockRefused,
    StockReserved,
)
from messages.subjects import SubjectErase
from messages.timers import TimerDue
from tests.handlers.adjustment_builders import adjustment
from tests.handlers.builders import ADDRESS, OPERATOR, book, cancel, captured, create, sku, update, user
from tests.handlers.catalogue_builders import (
    correction,
    coupon,
    grant,
    member,
    promotion,
    revision_reset,
    settings,
    template,
)
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.handlers.statement_builders import DAY, configure_fake_statements, reconcile, statement_of
from workers import shop
from workers.domain.shop import OnShortage, Policy, Shop

REVISIONS = count(1)


def creates(n: int, **changes: Any) -> list[OrderCreate]:
    return [create(("s1", 1), ("s2", 1), request_id=uuid4().hex, **changes) for _ in range(n)]


async def placing(harness: HandlerHarness, n: int) -> list[int]:
    before = {row["id"] for row in await harness.pool.fetch("SELECT id FROM orders")}
    await harness.handle_batch([harness.envelope(body) for body in creates(n)])
    await harness.pool.execute("DELETE FROM outbox")
    return [
        row["id"] for row in await harness.pool.fetch("SELECT id FROM orders ORDER BY id") if row["id"] not in before
    ]


async def placed(harness: HandlerHarness, n: int) -> list[int]:
    harness.events.clear()
    await harness.handle(*creates(n))
    return [int(event["order_id"]) for event in harness.events_of("order.created")]


async def paid(harness: HandlerHarness, n: int) -> list[int]:
    ids = await placed(harness, n)
    await harness.handle(*(captured(key, 1000, f"t{key}") for key in ids), trusted=True)
    return ids


async def booked(harness: HandlerHarness, n: int) -> list[int]:
    ids = await paid(harness, n)
    await harness.handle(*(book(key, f"T{key}") for key in ids))
    return ids


async def delivered(harness: HandlerHarness, n: int) -> list[int]:
    ids = await booked(harness, n)
    for status in ("outbound", "delivered"):
        await harness.handle(*(update(key, f"T{key}", status) for key in ids))
    return ids


async def partly_shipped(harness: HandlerHarness, n: int) -> list[int]:
    """Paid orders of which one of two lines has left."""
    ids = await paid(harness, n)
    await harness.handle(*(book(key, f"T{key}", ("s1", 1)) for key in ids))
    await harness.handle(*(update(key, f"T{key}", "outbound") for key in ids))
    return ids


async def shared(harness: HandlerHarness, n: int) -> list[Message]:
    """Bookings of parcels with two orders each."""
    ids = await paid(harness, 2 * n)
    return [
        book(one, f"T{one}").model_copy(update={"order_ids": (two,)}) for one, two in zip(ids[:n], ids[n:], strict=True)
    ]


async def shared_arrived(harness: HandlerHarness, n: int) -> list[Message]:
    bookings = cast(list[ShipmentBook], await shared(harness, n))
    await harness.handle(*bookings)
    return [update(body.order_id, body.tracking_no, "delivered") for body in bookings]


async def cancelled(harness: HandlerHarness, n: int) -> list[int]:
    ids = await placed(harness, n)
    await harness.handle(*(cancel(key, uuid4().hex) for key in ids))
    return ids


def moved(ids: Sequence[int], status: str) -> list[Message]:
    return [update(key, f"T{key}", status) for key in ids]


def due(ids: Sequence[int], kind: str) -> list[Message]:
    return [TimerDue(kind=cast(Any, kind), key=key, due_at=datetime.now(UTC)) for key in ids]


async def timers(harness: HandlerHarness, ids: Sequence[int], kind: str) -> list[Message]:
    await harness.make_timers_due(kind)
    await harness.mark_progress()
    return due(ids, kind)


async def refunds(harness: HandlerHarness, n: int) -> list[Message]:
    ids = await cancelled(harness, n)
    await harness.handle(*(captured(key, 1000, f"late{key}") for key in ids), trusted=True)
    rows = await harness.pool.fetch("SELECT refund_no FROM refunds WHERE order_id = ANY ($1)", ids)
    return [
        RefundResult(
            refund_no=r["refund_no"], status="succeeded", amount=1000, currency="CNY", occurred_at=datetime.now(UTC)
        )
        for r in rows
    ]


async def repeated(harness: HandlerHarness, n: int) -> list[Message]:
    bodies = creates(n)
    await harness.handle(*bodies)
    return list(bodies)


async def in_question(harness: HandlerHarness, n: int, reported: bool = True) -> list[int]:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, on_shortage=OnShortage.ASK_THEN_CANCEL)))
    keys = await paid(harness, n)
    if reported:
        await harness.handle(*(lacking(key) for key in keys))
    return keys


async def checked(harness: HandlerHarness, n: int) -> list[int]:
    """Orders that wait for the verdict of the risk check."""
    shop.configure(Shop(risk_check=True, policy=Policy(rate_limit_orders=0)))
    return await placing(harness, n)


async def challenged(harness: HandlerHarness, n: int) -> list[int]:
    """Orders that wait for a captcha."""
    keys = await checked(harness, n)
    await harness.handle(*(RiskResult(order_id=key, verdict="captcha_required") for key in keys), trusted=True)
    return keys


async def unsolved(harness: HandlerHarness, n: int) -> list[Message]:
    return await timers(harness, await challenged(harness, n), "saga")


def captcha_answer(key: int) -> Message:
    return OrderCaptchaAnswer(request_id=unique(), actor=user(), order_id=key, captcha_token="solved")


def lacking(order_id: int) -> ShortageReport:
    return ShortageReport(request_id=unique(), order_id=order_id, lines=(ShortLine(sku_id="s1", qty=1),))


def answered(decision: str) -> Callable[[int], Message]:
    return lambda key: ShortageDecide.model_validate(
        {"request_id": unique(), "actor": user(), "order_id": key, "decision": decision}
    )


async def unanswered_shortages(harness: HandlerHarness, n: int) -> list[Message]:
    return await timers(harness, await in_question(harness, n), "shortage")


async def over(harness: HandlerHarness, n: int) -> list[Message]:
    keys = await in_question(harness, n)
    await harness.make_timers_due("shortage")
    return [ShortageDue(order_id=key) for key in keys]


async def held_orders(harness: HandlerHarness, n: int) -> list[int]:
    keys = await placed(harness, n)
    await harness.handle(*(hold(key, unique()) for key in keys), trusted=True)
    return keys


Arrange = Callable[[HandlerHarness, int], Awaitable[Sequence[Message]]]


def per(those: Callable[[HandlerHarness, int], Awaitable[Sequence[int]]], make: Callable[[int], Message]) -> Arrange:
    """One message for each thing that was arranged."""

    async def arrange(harness: HandlerHarness, n: int) -> list[Message]:
        return [make(key) for key in await those(harness, n)]

    return arrange


def plain(make: Callable[[int], Message]) -> Arrange:
    """Messages that need nothing."""

    async def arrange(harness: HandlerHarness, n: int) -> list[Message]:
        return [make(number) for number in range(n)]

    return arrange


def unique() -> str:
    return uuid4().hex


def cancel_own(key: int) -> Message:
    return cancel(key, unique(), actor=OPERATOR)


def address(key: int) -> Message:
    return OrderChangeAddress(request_id=unique(), actor=user(), order_id=key, address=ADDRESS)


def refund(key: int) -> Message:
    return RefundRequest(request_id=unique(), actor=OPERATOR, order_id=key, amount=1, reason="sorry")


async def unpaid(harness: HandlerHarness, n: int) -> Sequence[Message]:
    return await timers(harness, await placed(harness, n), "payment")


async def unanswered(harness: HandlerHarness, n: int) -> Sequence[Message]:
    return await timers(harness, await placing(harness, n), "saga")


async def unconfirmed(harness: HandlerHarness, n: int) -> Sequence[Message]:
    return await timers(harness, await delivered(harness, n), "receipt")


async def outbound(harness: HandlerHarness, n: int) -> Sequence[Message]:
    return moved(await booked(harness, n), "outbound")


async def arrived(harness: HandlerHarness, n: int) -> Sequence[Message]:
    ids = await booked(harness, n)
    await harness.handle(*moved(ids, "outbound"))
    return moved(ids, "delivered")


async def lost(harness: HandlerHarness, n: int) -> Sequence[Message]:
    ids = await booked(harness, n)
    await harness.handle(*moved(ids, "outbound"))
    return moved(ids, "lost")


async def issues(harness: HandlerHarness, n: int) -> Sequence[Message]:
    await harness.handle(template(name := unique(), count=n))
    return [coupon(unique(), f"u{number}", name) for number in range(n)]


async def shopped(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """Orders that use a coupon and points each, at a limited price, and are split."""
    limits: dict[str, Any] = {"kind": "flash", "quantity": 10_000, "per_user_limit": 9}
    await harness.handle(
        sku("s1", revision=1 + next(REVISIONS)).model_copy(update={"seller_id": "A"}),
        promotion("flash", revision=next(REVISIONS), scope_id="spu-s2", prices={"s2": 400}, **limits),
        template(card := unique(), amount=10, min_amount=0),
    )
    users = [unique() for _ in range(n)]
    await harness.handle(*(coupon(f"c{name}", name, card) for name in users))
    await harness.handle(*(grant(1000, name, unique()) for name in users))
    return [
        create(
            ("s1", 1),
            ("s2", 1),
            request_id=unique(),
            user_id=name,
            coupon_id=f"c{name}",
            use_points=100,
            expected_pay_amount=790,
        )
        for name in users
    ]


async def bought(harness: HandlerHarness, n: int) -> list[int]:
    """Such orders, placed."""
    bodies = await shopped(harness, n)
    harness.events.clear()
    await harness.handle(*bodies)
    return [int(event["order_id"]) for event in harness.events_of("order.created") if event["parent_id"] is None]


async def bought_and_paid(harness: HandlerHarness, n: int) -> list[int]:
    ids = await bought(harness, n)
    await harness.handle(*(captured(key, 790, f"t{key}") for key in ids), trusted=True)
    return ids


async def bought_and_due(harness: HandlerHarness, n: int) -> Sequence[Message]:
    return await timers(harness, await bought(harness, n), "payment")


async def mergeable(harness: HandlerHarness, n: int) -> Sequence[Message]:
    ids = await placed(harness, 2 * n)
    return [OrderMerge(request_id=unique(), actor=user(), order_ids=tuple(ids[2 * k : 2 * k + 2])) for k in range(n)]


async def merged(harness: HandlerHarness, n: int) -> Sequence[Message]:
    await harness.handle(*await mergeable(harness, n))
    first = {event["intent_id"]: event for event in harness.events_of("order.merged")}
    return [
        captured(int(e["order_id"]), 2000, f"t{intent}").model_copy(update={"intent_id": int(intent)})
        for intent, e in first.items()
    ]


async def in_carts(harness: HandlerHarness, n: int) -> Sequence[Message]:
    users = [unique() for _ in range(n)]
    await harness.handle(*(CartPut(request_id=unique(), actor=user(u), user_id=u, sku_id="s1", qty=2) for u in users))
    return [CartRemove(request_id=unique(), actor=user(u), user_id=u, sku_id="s1") for u in users]


async def forgotten(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """Users whose orders have ended."""
    users = [unique() for _ in range(n)]
    harness.events.clear()
    await harness.handle(*(create(("s1", 1), request_id=unique(), user_id=u) for u in users))
    ended = [int(event["order_id"]) for event in harness.events_of("order.created")]
    await harness.handle(*(cancel(key, unique(), OPERATOR) for key in ended), trusted=True)
    return [SubjectErase(request_id=unique(), actor=OPERATOR, user_id=u) for u in users]


def put(key: int) -> Message:
    return CartPut(request_id=unique(), actor=user(f"u{key}"), user_id=f"u{key}", sku_id="s1", qty=key + 1)


def number(key: int) -> Message:
    return OrderNumberIssue(request_id=unique(), actor=user(), user_id="u1", channel="pc", method="alipay")


def statement(key: int) -> Message:
    """The statement of another day, with a payment that we do not know."""
    configure_fake_statements()
    day = DAY + timedelta(days=next(REVISIONS))
    return reconcile(statement_of(f"capture X{key} t{key} 5 CNY", day=day), day=day)


SCENARIOS: dict[str, Arrange] = {
    "order.create": plain(lambda _: creates(1)[0]),
    "order.create refused": plain(lambda _: creates(1, channel="telex")[0]),
    "order.create again": repeated,
    "order.create with everything": shopped,
    "payment.result captured of everything": per(bought, lambda key: captured(key, 790, f"t{key}")),
    "order.cancel unpaid of everything": per(bought, cancel_own),
    "order.cancel paid of everything": per(bought_and_paid, cancel_own),
    "timer.due payment of everything": bought_and_due,
    "order.merge": mergeable,
    "payment.result captured of merged orders": merged,
    "order.number.issue": plain(number),
    "cart.put": plain(put),
    "cart.remove": in_carts,
    "subject.erase": forgotten,
    "risk.result passed": per(placing, lambda key: RiskResult(order_id=key, verdict="passed")),
    "risk.result held": per(placing, lambda key: RiskResult(order_id=key, verdict="held")),
    "risk.result captcha_required": per(checked, lambda key: RiskResult(order_id=key, verdict="captcha_required")),
    "order.captcha.answer": per(challenged, captcha_answer),
    "timer.due saga of a captcha": unsolved,
    "risk.result rejected": per(placing, lambda key: RiskResult(order_id=key, verdict="rejected")),
    "stock.reserved": per(placing, lambda key: StockReserved(group_id=key)),
    "stock.refused": per(placing, lambda key: StockRefused(group_id=key, code="INVENTORY_INSUFFICIENT")),
    "payment.result captured": per(placed, lambda key: captured(key, 1000, f"t{key}")),
    "payment.result captured late": per(cancelled, lambda key: captured(key, 1000, f"t{key}")),
    "payment.result captured twice": per(paid, lambda key: captured(key, 1000, f"again{key}")),
    "payment.result of a wrong amount": per(placed, lambda key: captured(key, 1, f"t{key}")),
    "payment.result failed": per(placed, lambda key: captured(key, 1000, f"t{key}", kind="failed")),
    "payment.result of an unknown order": plain(lambda key: captured(key + 1, 1, unique())),
    "payment.reconcile": plain(statement),
    "progress.mark": plain(lambda _: ProgressMark(at=datetime.now(UTC))),
    "order.cancel unpaid": per(placed, lambda key: cancel(key, unique())),
    "order.cancel paid": per(paid, lambda key: cancel(key, unique())),
    "order.cancel unknown": plain(lambda key: cancel(key + 1, unique())),
    "order.change_address": per(placed, address),
    "order.confirm_receipt": per(delivered, lambda key: OrderConfirmReceipt(
        request_id=unique(), actor=user(), order_id=key)),
    "order.delete": per(cancelled, lambda key: OrderDelete(request_id=unique(), actor=user(), order_ids=(key,))),
    "order.amount.adjust": per(placed, lambda key: adjustment(key, unique(), discount=1)),
    "order.hold": per(placed, lambda key: hold(key, unique())),
    "order.hold once more": per(held_orders, lambda key: hold(key, unique())),
    "order.release": per(held_orders, lambda key: release(key, unique())),
    "order.cancel_rest": per(partly_shipped, lambda key: OrderCancelRest(
        request_id=unique(), actor=user(), order_id=key)),
    "order.cancel_rest unshipped": per(booked, lambda key: OrderCancelRest(
        request_id=unique(), actor=user(), order_id=key)),
    "order.shortage.report": per(partly_shipped, lambda key: ShortageReport(request_id=unique(), order_id=key)),
    "order.shortage.report all": per(booked, lambda key: ShortageReport(request_id=unique(), order_id=key)),
    "order.shortage.report in question": per(partial(in_question, reported=False), lacking),
    "order.shortage.decide ship": per(in_question, answered("ship_rest")),
    "order.shortage.decide cancel": per(in_question, answered("cancel_rest")),
    "order.shortage_due": over,
    "timer.due shortage": unanswered_shortages,
    "shipment.book": per(paid, lambda key: book(key, f"T{key}")),
    "shipment.book shared": shared,
    "shipment.update shared": shared_arrived,
    "shipment.update outbound": outbound,
    "shipment.update delivered": arrived,
    "shipment.update lost": lost,
    "refund.result": refunds,
    "refund.request": per(paid, refund),
    "timer.due payment": unpaid,
    "timer.due saga": unanswered,
    "timer.due receipt": unconfirmed,
    "sku.upsert": plain(lambda _: sku(unique())),
    "revision.reset of nothing": plain(lambda _: revision_reset(unique(), 1, request_id=unique())),
    "settings.set": plain(lambda _: settings(revision=next(REVISIONS), units_max_per_line=1000)),
    "promotion.upsert": plain(lambda _: promotion(name := unique(), kind="flash", scope_id=name, quantity=5)),
    "promotion.upsert overlapping": plain(lambda _: promotion(unique())),
    "coupon_template.upsert": plain(lambda _: template(unique())),
    "coupon.issue": issues,
    "coupon.issue of nothing": plain(lambda _: coupon(unique())),
    "points.adjust": plain(lambda _: correction(5, unique())),
    "points.grant": plain(lambda key: grant(5, f"u{key}", unique())),
    "member.upsert": plain(lambda key: member(user_id=f"u{key}", revision=next(REVISIONS))),
}  # fmt: skip
