"""Cases of buyers who were erased: there is no address to which anything could be sent."""

from dataclasses import replace

from messages.fulfilments import FulfilmentSendBack
from messages.orders import OrderConfirmReceipt
from messages.subjects import SubjectErase
from tests.handlers.builders import OPERATOR, user
from tests.handlers.case_builders import apply, arrive, close, inspect, last, open_case, reopen, review
from tests.handlers.exchange_builders import delivered, exchange
from tests.handlers.harness import HandlerHarness
from workers import shop


async def completed(harness: HandlerHarness) -> int:
    """A completed order of two units at 500."""
    order_id = await delivered(harness)
    await harness.handle(OrderConfirmReceipt(request_id="got it", actor=user(), order_id=order_id))
    return order_id


async def erase(harness: HandlerHarness) -> None:
    await harness.handle(
        SubjectErase(request_id="e1", actor=OPERATOR, user_id="u1", reason_code="USER_REQUEST"), trusted=True
    )
    assert harness.events_of("subject.erased")


async def test_an_erased_user_gets_no_other_goods_and_the_case_may_go_on_for_money(harness: HandlerHarness) -> None:
    """Nobody knows where to send them: neither an application nor the review of an older case places an order."""
    order_id = await completed(harness)
    case = await open_case(harness, exchange(order_id, (1, 1, "s1")))
    await harness.handle(review(case, "reject"), trusted=True)
    await erase(harness)
    await harness.handle(exchange(order_id, (1, 1, "s1"), actor=OPERATOR), trusted=True)
    await harness.handle(reopen(case).model_copy(update={"actor": OPERATOR}), review(case), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["ORDER_ADDRESS_MISSING"] * 2
    await harness.handle(review(case, "reject"), trusted=True)
    await harness.handle(apply(order_id, (1, 1), type="return_refund", actor=OPERATOR), trusted=True)
    assert last(harness)["state"] == "requested"
    assert await harness.rows("SELECT count(*) FROM orders WHERE kind = 'exchange'") == [(0,)]


async def test_refused_goods_of_an_erased_user_wait_at_the_warehouse_without_an_address(
    harness: HandlerHarness,
) -> None:
    shop.configure(replace(shop.current(), fulfilment_warehouses={"main": frozenset()}))
    order_id = await completed(harness)
    await erase(harness)
    await harness.handle(apply(order_id, (1, 1), type="return_refund", actor=OPERATOR), trusted=True)
    case = last(harness)
    await harness.handle(review(case), arrive(case), trusted=True)
    await harness.handle(inspect(case, (1, 1, "send_back")), close(case), trusted=True)
    [instruction] = [one for one in harness.instructions if isinstance(one, FulfilmentSendBack)]
    assert (instruction.address, last(harness)["state"]) == (None, "closed")
    assert len(harness.events_of("send_back.requested")) == 1
