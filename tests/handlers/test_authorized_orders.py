"""Orders that pay when their goods leave: which step takes the money, what is frozen, split, merged and refused."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from messages.authorizations import PaymentCapture
from messages.fulfilments import (
    FulfilmentAccept,
    FulfilmentCancelAccepted,
    FulfilmentHandOver,
    FulfilmentPack,
    FulfilmentPick,
)
from messages.order_queries import OrderGet, PaymentGet
from messages.orders import OrderConfirmReceipt, OrderMerge
from messages.payments import PaymentObserved
from tests.handlers.alipay_payments import start
from tests.handlers.authorization_builders import (
    ABILITY,
    authorize,
    paid_at_hand_over,
    report,
    requested,
    short,
    violated,
)
from tests.handlers.builders import OPERATOR, book, cancel, create, receive, sku, update, user
from tests.handlers.case_builders import apply, last, open_case, review
from tests.handlers.fulfilment_builders import cancel_no, fact
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers import shop
from workers.domain.shop import CaptureOn
from workers.providers.abilities import AuthorizingProvider


@pytest.fixture(autouse=True)
def _paid_at_hand_over(harness: HandlerHarness) -> Iterator[None]:
    with paid_at_hand_over():
        yield


async def facet(harness: HandlerHarness, order_id: int) -> str:
    """The payment facet that order.get shows."""
    [reply] = await ask(harness, OrderGet(actor=user(), order=str(order_id)))
    shown: str = reply.model_dump()["facets"]["payment"]
    return shown


async def test_the_money_is_taken_when_the_warehouse_has_packed(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    attempt_id = await authorize(harness, order_id)
    assert await harness.state(order_id) == "paid"
    assert await facet(harness, order_id) == "authorized"
    await harness.handle(fact(FulfilmentAccept, order_id), fact(FulfilmentPick, order_id))
    assert requested(harness) == []
    await harness.handle(fact(FulfilmentPack, order_id))
    assert requested(harness) == [1000]
    await harness.handle(fact(FulfilmentHandOver, order_id))
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"))
    assert requested(harness) == [1000]
    await report(harness, attempt_id, "captured", 1000)
    assert await facet(harness, order_id) == "paid"


@pytest.mark.parametrize(("how", "taken"), [("cancelled", []), ("doubled", [1000]), ("elsewhere", [])])
async def test_a_hand_over_takes_money_once_and_only_of_goods_that_were_requested(
    harness: HandlerHarness, how: str, taken: list[int]
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await authorize(harness, order_id)
    if how == "cancelled":
        await harness.handle(cancel(order_id))
    leaves = fact(FulfilmentHandOver, order_id, warehouse="west" if how == "elsewhere" else "main")
    batch = await harness.handle(leaves, leaves)
    await harness.handle(leaves)
    assert requested(harness) == taken
    reasons = {verdict.reason for verdict in batch.verdicts.values()}
    assert reasons == ({"hand_over_unknown"} if how == "elsewhere" else set())


async def test_one_capture_takes_what_is_left_of_a_split_order(harness: HandlerHarness) -> None:
    await harness.handle(sku("tea", seller_id="acme"), sku("cup", seller_id="bolt"), trusted=True)
    await harness.handle(receive("tea", 5), receive("cup", 5))
    root = await harness.create_order(create(("tea", 1), ("cup", 2)))
    attempt_id = await authorize(harness, root)
    first, second = await harness.children(root)
    await harness.handle(cancel(first, "x1"))
    assert [event["amount"] for event in harness.events_of("payment.released")] == [500]
    await harness.handle(book(second, "T1"), update(second, "T1", "outbound"))
    assert requested(harness) == [1000]
    await report(harness, attempt_id, "captured", 1000)
    assert [await facet(harness, key) for key in (first, second)] == ["none", "paid"]
    [shown] = await ask(harness, PaymentGet(actor=user(), order=str(root)))
    assert [shown.model_dump()[name]["minor"] for name in ("payable", "captured", "refunded")] == [1500, 1000, 0]
    assert not harness.events_of("refund.requested")


async def test_an_order_keeps_the_rule_that_it_was_placed_under(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    rules = shop.current()
    shop.configure(replace(rules, policy=replace(rules.policy, capture_on=CaptureOn.PAYMENT)))
    await authorize(harness, order_id)
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"))
    assert requested(harness) == [1000]


async def test_an_order_that_pays_at_hand_over_is_paid_alone(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    both = (await harness.place_order(("s1", 1)), await harness.place_order(("s1", 1)))
    await harness.handle(OrderMerge(request_id="m1", actor=user(), order_ids=both))
    assert [code for code, _ in harness.rejections()] == ["ORDER_NOT_MERGEABLE"]


async def test_a_provider_that_takes_money_at_once_is_refused(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    with patch(ABILITY, AuthorizingProvider):
        await harness.handle(start(order_id, 1000))
    assert harness.rejections() == [("PAY_METHOD_INVALID", {"field": "provider", "providers": []})]


async def test_a_capture_by_an_operator_is_refused_with_its_code(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    for number, (actor, key) in enumerate([(OPERATOR, order_id), (OPERATOR, 7), (user(), order_id)]):
        await harness.handle(PaymentCapture(request_id=f"c{number}", actor=actor, order_id=key), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["PAY_NOT_AUTHORIZED", "ORDER_NOT_FOUND", "AUTH_FORBIDDEN"]


async def test_the_same_authorisation_again_changes_nothing(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    attempt_id = await authorize(harness, order_id)
    now = datetime.now(UTC)
    again = PaymentObserved(
        attempt_id=attempt_id, trade_no="a9", kind="authorized", amount=1000, currency="CNY", occurred_at=now
    )
    await harness.handle(again, again)
    assert len(harness.events_of("payment.authorized")) == 1
    for _ in range(2):
        await harness.handle(PaymentCapture(request_id="c1", actor=OPERATOR, order_id=order_id), trusted=True)
        await report(harness, attempt_id, "captured", 1000)
    assert [event["verdict"] for event in harness.events_of("payment.captured")] == ["kept"]


async def test_an_authorisation_of_a_cancelled_order_is_voided(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, 1000))
    await harness.handle(cancel(order_id))
    harness.provider_calls.clear()
    attempt_id = int(harness.events_of("payment.started")[-1]["attempt_id"])
    about: dict[str, Any] = {"amount": 1000, "currency": "CNY", "occurred_at": datetime.now(UTC)}
    await harness.handle(PaymentObserved(attempt_id=attempt_id, trade_no="a1", kind="authorized", **about))
    assert [event["verdict"] for event in harness.events_of("payment.authorized")] == ["late"]
    assert [call.routing_key() for _, call in harness.provider_calls] == ["provider.authorization_void"]
    await report(harness, attempt_id, "captured", 1000)
    assert [event["cause"] for event in harness.events_of("refund.requested")] == ["late:alipay:c1"]


async def renew(harness: HandlerHarness, attempt_id: int, amount: int) -> None:
    """The provider renews an authorisation, and gives it another number."""
    await report(harness, attempt_id, "authorized", amount, "anew", timedelta(days=29))


async def short_and_renewed(harness: HandlerHarness) -> tuple[int, int]:
    """An order of three units of which one was short, with an authorisation that was renewed since; its attempt."""
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 3))
    attempt_id = await authorize(harness, order_id)
    await harness.handle(short(order_id, "s1"), trusted=True)
    await renew(harness, attempt_id, 1500)
    harness.provider_calls.clear()
    return order_id, attempt_id


async def test_what_was_released_before_a_renewal_is_not_released_again(harness: HandlerHarness) -> None:
    order_id, _ = await short_and_renewed(harness)
    await harness.handle(cancel(order_id))
    released = await harness.rows("SELECT state, amount FROM refunds ORDER BY id")
    assert released == [("released", 500), ("released", 1000)]
    assert [call.routing_key() for _, call in harness.provider_calls] == ["provider.authorization_void"]
    await harness.pool.execute("UPDATE payment_authorizations SET expire_at = authorized_at + interval '1 s'")
    await harness.sweep("authorization")
    assert requested(harness) == []


async def test_what_was_released_before_a_renewal_is_not_refunded(harness: HandlerHarness) -> None:
    order_id, attempt_id = await short_and_renewed(harness)
    [number] = (await harness.rows("SELECT max(number) FROM fulfilments"))[0]
    steps = (FulfilmentAccept, FulfilmentPick, FulfilmentPack)
    await harness.handle(*(fact(step, order_id, number) for step in steps))
    assert requested(harness) == [1000]
    await harness.handle(cancel(order_id))
    await harness.handle(fact(FulfilmentCancelAccepted, order_id, number, cancel_no=cancel_no(harness)))
    await report(harness, attempt_id, "captured", 1000)
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [1000]


async def test_a_renewal_keeps_what_one_part_of_a_split_order_released(harness: HandlerHarness) -> None:
    await harness.handle(sku("tea", seller_id="acme"), sku("cup", seller_id="bolt"), trusted=True)
    await harness.handle(receive("tea", 5), receive("cup", 5))
    root = await harness.create_order(create(("tea", 1), ("cup", 2)))
    attempt_id = await authorize(harness, root)
    first, second = await harness.children(root)
    await harness.handle(cancel(first, "x1"))
    await harness.handle(short(second, "cup"), trusted=True)
    await renew(harness, attempt_id, 1500)
    harness.provider_calls.clear()
    await harness.handle(cancel(second, "x2"))
    assert await harness.rows("SELECT sum(amount) FROM refunds") == [(1500,)]
    assert [call.routing_key() for _, call in harness.provider_calls] == ["provider.authorization_void"]


def titles(harness: HandlerHarness) -> list[str]:
    """The titles of the alerts."""
    return [alert["title"] for alert in harness.events_of("alert.raised")]


@pytest.mark.parametrize("status", ["failed", "voided"])
async def test_an_order_that_ended_unpaid_is_an_alert_and_an_open_fact(harness: HandlerHarness, status: str) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 3))
    attempt_id = await authorize(harness, order_id)
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"), update(order_id, "T1", "delivered"))
    await harness.handle(OrderConfirmReceipt(request_id="k", actor=user(), order_id=order_id))
    assert await violated(harness) == []
    await report(harness, attempt_id, status, 1500)
    assert (await harness.states(), titles(harness)) == (["completed"], ["authorised money not taken"])
    assert "collect the money" in harness.events_of("alert.raised")[0]["content"]
    assert await harness.rows("SELECT state FROM payment_authorizations WHERE not_taken_at IS NOT NULL") == [(status,)]
    assert await violated(harness) == []
    await harness.pool.execute("UPDATE payment_authorizations SET not_taken_at = NULL")
    assert await violated(harness) == ["INV-05"]
    await report(harness, attempt_id, "captured", 1500)
    assert await harness.rows("SELECT state, not_taken_at FROM payment_authorizations") == [("captured", None)]
    assert await violated(harness) == []


async def test_what_a_case_gives_back_whole_is_voided_after_its_goods_left(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 3))
    attempt_id = await authorize(harness, order_id)
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "outbound"), update(order_id, "T1", "delivered"))
    await report(harness, attempt_id, "failed", 1500)
    case = await open_case(harness, apply(order_id))
    await harness.handle(review(case), trusted=True)
    assert await harness.rows("SELECT state FROM payment_authorizations") == [("voiding",)]
    assert await violated(harness) == []
    await report(harness, attempt_id, "voided", 1500)
    assert (last(harness)["state"], await violated(harness)) == ("completed", [])
