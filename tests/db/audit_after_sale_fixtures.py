"""After-sale cases in the audit's database: in every kind of state, and an order of which everything came back."""

from typing import Any
from uuid import uuid4

from messages.orders import OrderConfirmReceipt
from messages.refunds import RefundRequest
from tests.handlers import case_builders as cases
from tests.handlers.builders import OPERATOR, create, user
from tests.handlers.catalogue_builders import coupon
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result


async def add_cases(harness: HandlerHarness) -> None:
    """Cases that wait, give money back, fail, are replaced, and one by which a completed order is cancelled."""
    await open_case(harness, units=2)
    await reviewed(harness)
    await harness.handle(cases.ship_back(await reviewed(harness), "back-1"))
    rejected = await open_case(harness)
    await harness.handle(cases.review(rejected, "reject"), trusted=True)
    again = await open_case(harness)
    await harness.handle(cases.review(again, "reject"), cases.reopen(again), trusted=True)
    await inspected(harness, ("restock", 1))
    await inspected(harness, ("send_back", 2))
    await inspected(harness, ("restock", 1), ("send_back", 1))
    await cases.end_refund(harness)
    await inspected(harness, ("quarantine", 2))
    await money(harness)
    await money(harness, "failed")
    await money(harness, "failed", "succeeded")
    await money(harness, "failed", "failed")
    await money(harness, "succeeded")
    closed = await money(harness, "failed")
    await harness.handle(cases.close(closed), trusted=True)
    await whole_return(harness)
    await sent_back(harness)


async def sent_back(harness: HandlerHarness) -> None:
    """Refused goods that are on their way to the buyer, and goods that wait for it."""
    for number in ("R1", None):
        await inspected(harness, ("send_back", 2))
        case = cases.last(harness)
        await harness.handle(cases.close(case), trusted=True)
        if number is not None:
            await harness.handle(cases.send_back(case, "main", number), trusted=True)


async def delivered(harness: HandlerHarness, *lines: tuple[str, int], price: int = 1007, **changes: Any) -> int:
    """A delivered order, by default of two s2."""
    body = create(*(lines or (("s2", 2),)), request_id=uuid4().hex, expected_pay_amount=price, **changes)
    order_id = await harness.create_order(body)
    await harness.pay(order_id)
    await harness.deliver(order_id)
    return order_id


async def open_case(harness: HandlerHarness, type: str = "refund_only", units: int = 1) -> dict[str, Any]:
    order_id = await delivered(harness)
    return await cases.open_case(harness, cases.apply(order_id, (1, units), type=type, request_id=uuid4().hex))


async def reviewed(harness: HandlerHarness, type: str = "return_refund", units: int = 2) -> dict[str, Any]:
    case = await open_case(harness, type, units)
    await harness.handle(cases.review(case), trusted=True)
    return case


async def inspected(harness: HandlerHarness, *found: tuple[str, int]) -> None:
    """A case of two units that came back, of which these are inspected."""
    case = await reviewed(harness)
    await harness.handle(cases.arrive(case))
    await harness.handle(cases.inspect(case, *((1, qty, disposition) for disposition, qty in found)))


async def money(harness: HandlerHarness, *ends: str) -> dict[str, Any]:
    """A case about one unit; its refund ends so, and then one in its place does."""
    case = await reviewed(harness, "refund_only", units=1)
    for number, status in enumerate(ends):
        refund = harness.events_of("refund.requested")[-1]
        if number:
            await harness.handle(instead_of(refund), trusted=True)
            refund = harness.events_of("refund.requested")[-1]
        await harness.handle(refund_result(refund, status), trusted=True)
    return case


def instead_of(refund: dict[str, Any]) -> RefundRequest:
    """The request for a refund in the place of a failed one."""
    return RefundRequest(
        request_id=uuid4().hex,
        actor=OPERATOR,
        reason="again",
        order_id=refund["order_id"],
        amount=refund["amount"],
        replaces=refund["refund_no"],
    )


async def whole_return(harness: HandlerHarness) -> None:
    """A completed order with a coupon and earned points; all of it comes back in two cases."""
    await harness.handle(coupon("c20"))
    order_id = await delivered(harness, ("b1", 2), price=1809, coupon_id="c20")
    await harness.handle(OrderConfirmReceipt(request_id=uuid4().hex, actor=user(), order_id=order_id))
    for disposition in ("restock", "write_off"):
        case = await cases.open_case(
            harness, cases.apply(order_id, (1, 1), type="return_refund", request_id=uuid4().hex)
        )
        await harness.handle(cases.review(case), cases.arrive(case), trusted=True)
        await harness.handle(cases.inspect(case, (1, 1, disposition)))
        await cases.end_refund(harness)
