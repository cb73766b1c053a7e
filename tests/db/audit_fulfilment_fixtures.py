"""Orders that are handed over to a warehouse, in every state that a hand-over can have."""

from datetime import UTC, datetime
from typing import Any

from messages.carriers import WaybillAnswered
from messages.fulfilments import (
    FulfilmentAccept,
    FulfilmentCancelAccepted,
    FulfilmentCancelRefused,
    FulfilmentFact,
    FulfilmentPack,
    FulfilmentPick,
    FulfilmentRefuse,
)
from messages.roles import Role
from messages.shipments import ParcelPlan, ShipmentCreate
from tests.handlers.builders import cancel, captured, create, receive
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Shop


async def hand_over(harness: HandlerHarness, rules: Shop) -> None:
    """Requested, accepted, picked, packed, shipped, refused; cancelled before, while and after its warehouse works."""
    asking = Shop(policy=rules.policy, fulfilment_warehouses={"main": frozenset()})
    shop.configure(asking)
    await harness.handle(receive("s1", 9, ref="hand-over"))
    orders = [await _paid(harness) for _ in range(9)]
    requested, accepted, picked, packed, shipped, refused, cancelled, stopped, gone_on = orders
    await _report(harness, FulfilmentAccept, accepted, picked, packed, shipped, stopped, gone_on)
    await _report(harness, FulfilmentPick, picked)
    await _report(harness, FulfilmentPack, packed)
    await _report(harness, FulfilmentRefuse, refused, reason_code="closed")
    await harness.deliver(shipped)
    for order_id in (cancelled, stopped, gone_on, packed):
        await harness.handle(cancel(order_id, request_id=f"stop-{order_id}"))
    numbers = {m.order_id: m.cancel_no for m in harness.instructions if hasattr(m, "cancel_no")}  # type: ignore[attr-defined]
    await _report(harness, FulfilmentCancelAccepted, stopped, cancel_no=numbers[stopped])
    await _report(harness, FulfilmentCancelRefused, gone_on, cancel_no=numbers[gone_on], reason_code="packed")
    assert await harness.state(requested) == "paid"
    await book_at_carriers(harness, rules)
    shop.configure(rules)


async def book_at_carriers(harness: HandlerHarness, rules: Shop) -> None:
    """Booked and polled, of two orders, refused by its carrier, withdrawn with its order, answered too late."""
    shop.configure(Shop(policy=rules.policy, carriers={"sf": "poll"}))
    await harness.handle(receive("s1", 9, ref="carriers"))
    for outcome in ("booked", "shared", "refused", "withdrawn", "late"):
        order_id = await _paid(harness)
        others = (await _paid(harness),) if outcome == "shared" else ()
        body = ShipmentCreate(request_id=outcome, order_id=order_id, carrier="sf", order_ids=others)
        await harness.handle(body, roles=frozenset({Role.WAREHOUSE}))
        [(waybill_id, plan)] = await harness.rows("SELECT id, plan::text FROM waybills WHERE state = 'requested'")
        planned = vars(ParcelPlan.model_validate_json(plan))
        answer = WaybillAnswered(**planned, waybill_id=waybill_id, tracking_no=f"W-{outcome}")
        if outcome == "refused":
            answer = answer.model_copy(update={"tracking_no": None, "refusal": "FULL"})
        stops = [cancel(order_id, request_id=f"stop-{order_id}")]
        for message in {"late": [*stops, answer], "withdrawn": [answer, *stops]}.get(outcome, [answer]):
            await harness.handle(message)


async def _paid(harness: HandlerHarness) -> int:
    harness.count += 1
    order_id = await harness.create_order(create(("s1", 1), request_id=f"hand-over-{harness.count}"))
    await harness.handle(captured(order_id, await harness.payable(order_id), f"h-{order_id}"), trusted=True)
    return order_id


async def _report(harness: HandlerHarness, kind: type[FulfilmentFact], *order_ids: int, **more: Any) -> None:
    about: dict[str, Any] = {"warehouse": "main", "number": 1, "occurred_at": datetime.now(UTC)} | more
    await harness.handle(*(kind(order_id=order_id, **about) for order_id in order_ids))
