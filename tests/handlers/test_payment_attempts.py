"""Payments through a provider: attempts, signed notifications, and notifications that are rejected.

Alipay's page needs no call, so everything here is signatures and the database.
"""

import asyncio
import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from messages.orders import OrderMerge
from messages.payments import PaymentObserved
from messages.providers import ProviderClose, ProviderQuery, ProviderRefund, ProviderRefundQuery
from messages.refunds import RefundObserved, RefundRequest
from scripts.gateways import alipay_protocol
from tests.handlers.alipay_payments import APP, MERCHANT, callback, notified, opened, start
from tests.handlers.builders import OPERATOR, cancel, captured, user
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import WAITING, HandlerHarness
from tests.providers.keys import private
from workers import providers
from workers.domain.payment_rules import AttemptState
from workers.handlers import timeouts
from workers.handlers.provider_calls import take_answers
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.port import UnknownOutcome
from workers.runtime.batch import Batch
from workers.services.attempts import refunds_of_attempts
from workers.store import attempts
from workers.store.attempts import AttemptChange


@pytest.fixture(autouse=True)
def alipay() -> Iterator[None]:
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    yield
    providers.configure({})


async def attempts_now(harness: HandlerHarness) -> list[str]:
    return [state for (state,) in await harness.rows("SELECT state FROM payment_attempts ORDER BY id")]


async def test_the_link_is_one_that_alipay_believes_and_the_notification_pays_the_order(
    harness: HandlerHarness,
) -> None:
    _, started = await opened(harness)
    link = urlsplit(started["url"])
    request = alipay_protocol.check(
        link.query, b"", app_id=APP, keys=[private("app").public_key()], now=datetime.now(UTC)
    )
    assert (request.order["total_amount"], request.order["out_trade_no"]) == ("10.00", started["out_trade_no"])
    await harness.handle(*[notified(started)] * 100)
    await harness.handle(notified(started))
    assert await harness.states() == ["paid"]
    assert [event["verdict"] for event in harness.events_of("payment.captured")] == ["kept"]
    assert await harness.pool.fetchval("SELECT state FROM payment_attempts") == "captured"
    rows = await harness.pool.fetch("SELECT verdict, copies, about FROM payment_notifications")
    assert [tuple(row) for row in rows] == [("believed", 2, started["out_trade_no"])]
    assert await harness.pool.fetchval("SELECT count(*) FROM timers WHERE kind = 'attempt'") == 0


async def test_a_notification_that_was_changed_is_refused_and_changes_nothing(harness: HandlerHarness) -> None:
    _, started = await opened(harness)
    raw = base64.b64decode(notified(started).body)
    await harness.handle(callback(raw.replace(b"total_amount=10.00", b"total_amount=10.01")))
    assert await harness.states() == ["awaiting_payment"]
    [refused] = harness.events_of("payment.callback_rejected")
    assert refused["code"] == "PAY_SIGNATURE_INVALID"
    assert await harness.pool.fetchval("SELECT verdict FROM payment_notifications") == "rejected"


async def test_a_paid_notification_of_another_amount_goes_back_by_the_provider(harness: HandlerHarness) -> None:
    order_id, started = await opened(harness)
    await harness.handle(notified(started, total_amount="9.99"))
    assert await harness.states() == ["awaiting_payment"]
    [refund] = harness.events_of("refund.requested")
    assert (refund["amount"], refund["order_id"]) == (999, str(order_id))
    assert [provider for provider, _ in harness.provider_calls] == ["alipay"]


async def test_a_second_attempt_supersedes_the_first_and_what_is_paid_there_after_all_goes_back(
    harness: HandlerHarness,
) -> None:
    order_id, first = await opened(harness)
    await harness.handle(start(order_id, 1000, "pay-2"))
    second = harness.events_of("payment.started")[1]
    assert harness.provider_calls == [("alipay", ProviderClose(attempt_id=int(first["attempt_id"])))]
    assert await attempts_now(harness) == ["closing", "requested"]
    await harness.handle(notified(second, "t2"))
    assert len(harness.provider_calls) == 1, "what was paid is not closed"
    await harness.handle(notified(first, "t1"))
    assert await harness.states() == ["paid"]
    assert [event["verdict"] for event in harness.events_of("payment.captured")] == ["kept", "duplicate"]
    assert [refund["trade_no"] for refund in harness.events_of("refund.requested")] == ["t1"]


async def test_a_cancelled_orders_attempts_are_closed_and_a_late_payment_goes_back(harness: HandlerHarness) -> None:
    order_id, started = await opened(harness)
    await harness.handle(cancel(order_id))
    assert [message.TYPE for _, message in harness.provider_calls] == ["provider.close.v1"]
    assert await attempts_now(harness) == ["closing"], "or an approval would still be captured"
    await harness.handle(notified(started))
    assert [event["verdict"] for event in harness.events_of("payment.captured")] == ["late"]
    assert [message.TYPE for _, message in harness.provider_calls] == ["provider.close.v1", "provider.refund.v1"]


REFUSED = [
    ("another amount", {"amount": 999}, "PAY_AMOUNT_MISMATCH"),
    ("another currency", {"currency": "USD"}, "PAY_PARAM_INVALID"),
    ("no such provider", {"provider": "cowrie"}, "PAY_METHOD_INVALID"),
    ("no such scene", {"scene": "smoke"}, "PAY_PARAM_INVALID"),
    ("an unknown intent", {"intent_id": 7}, "PAY_PARAM_INVALID"),
    ("another user", {"actor": user("u2")}, "ORDER_NOT_FOUND"),
]


@pytest.mark.parametrize(("changes", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_payment_that_cannot_be_is_refused_with_a_code(
    harness: HandlerHarness, changes: dict[str, Any], code: str
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, **{"amount": 1000, **changes}))
    assert [event["code"] for event in harness.events_of("command.rejected")] == [code]
    assert await harness.pool.fetchval("SELECT count(*) FROM payment_attempts") == 0


async def test_the_clients_own_data_is_stored_encrypted(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, 1000, client_ip="203.0.113.77", payer="openid-of-the-buyer"))
    row = await harness.pool.fetchrow("SELECT payment_attempts::text AS shown, details FROM payment_attempts")
    assert row is not None
    assert b"203.0.113.77" not in row["details"]
    assert "openid" not in row["shown"]
    assert dict(parse_qsl(urlsplit(harness.events_of("payment.started")[0]["url"]).query))["app_id"] == APP


async def test_a_refund_notification_names_the_sum_of_all_refunds_so_this_one_is_polled(
    harness: HandlerHarness,
) -> None:
    _, started = await opened(harness)
    refunded = {"gmt_refund": "2026-01-21 11:00:00", "refund_fee": "9.00", "out_biz_no": "R17"}
    await harness.handle(notified(started, **refunded))
    assert harness.provider_calls == [("alipay", ProviderRefundQuery(refund_no="R17", trade_no="2026012122001"))]
    assert await harness.states() == ["awaiting_payment"]


async def test_a_declined_attempt_does_not_cancel_the_order_while_another_may_still_be_paid(
    harness: HandlerHarness,
) -> None:
    await harness.handle(settings(on_payment_failure="cancel"), trusted=True)
    order_id, first = await opened(harness)
    await harness.handle(start(order_id, 1000, "pay-2"))
    second = harness.events_of("payment.started")[1]
    await harness.handle(failed(first))
    assert (await harness.states(), len(harness.events_of("payment.failed"))) == (["awaiting_payment"], 1)
    await harness.handle(failed(second, "t2"))
    assert await harness.states() == ["cancelled"]


def failed(started: dict[str, Any], trade_no: str = "t1") -> PaymentObserved:
    """Alipay's answer to the query of an attempt that failed."""
    return PaymentObserved(
        attempt_id=int(started["attempt_id"]),
        trade_no=trade_no,
        kind="failed",
        amount=int(started["amount"]),
        currency="CNY",
        occurred_at=datetime.now(UTC),
    )


async def test_a_capture_that_was_reported_by_hand_still_ends_its_attempt_and_can_be_refunded(
    harness: HandlerHarness,
) -> None:
    order_id, started = await opened(harness)
    await harness.handle(captured(order_id, 1000, "t9"), trusted=True)
    await harness.handle(notified(started, "t9"))
    assert await harness.rows("SELECT state, trade_no FROM payment_attempts") == [("captured", "t9")]
    assert await harness.rows("SELECT count(*) FROM timers WHERE kind = 'attempt'") == [(0,)]
    assert [event["verdict"] for event in harness.events_of("payment.captured")] == ["kept"]
    harness.provider_calls.clear()
    await harness.handle(cancel(order_id))
    [refund] = harness.events_of("refund.requested")
    assert harness.provider_calls == [("alipay", ProviderRefund(refund_no=refund["refund_no"]))]


async def test_a_refund_is_polled_from_the_start(harness: HandlerHarness) -> None:
    order_id, started = await opened(harness)
    await harness.handle(notified(started))
    providers.configure({})
    await harness.handle(cancel(order_id))
    assert await harness.rows("SELECT count(*) FROM timers WHERE kind = 'refund'") == [(1,)]
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    harness.provider_calls.clear()
    await harness.sweep("refund")
    [refund] = harness.events_of("refund.requested")
    assert harness.provider_calls == [("alipay", ProviderRefundQuery(refund_no=refund["refund_no"]))]


async def test_money_that_another_service_took_under_the_same_name_is_not_ours_to_give_back(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(captured(order_id, 1000, "t9"), trusted=True)
    await harness.handle(cancel(order_id))
    assert len(harness.events_of("refund.requested")) == 1
    assert harness.provider_calls == []
    assert await harness.rows("SELECT count(*) FROM timers WHERE kind = 'refund'") == [(0,)]


async def test_an_attempt_is_polled_once_a_minute_at_most_and_rarer_the_longer_it_is_unknown(
    harness: HandlerHarness,
) -> None:
    await opened(harness)
    await harness.sweep("attempt")
    waits = "SELECT extract(epoch FROM wake_at - now())::integer FROM timers WHERE kind = 'attempt'"
    [(soon,)] = await harness.rows(waits)
    assert 55 <= soon <= 60
    await harness.pool.execute("UPDATE timers SET due_at = now() - interval '20 min', wake_at = now()")
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await harness.relay()
    [(later,)] = await harness.rows(waits)
    assert 590 <= later <= 600
    await harness.pool.execute("UPDATE timers SET due_at = now() - interval '10 h', wake_at = now()")
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    harness.provider_calls.clear()
    providers.configure({})
    await harness.relay()
    [(at_last,)] = await harness.rows(waits)
    assert 3590 <= at_last <= 3600
    assert [provider for provider, _ in harness.provider_calls] == ["alipay"], (
        "the poll goes to a worker that calls this provider"
    )


async def test_merged_orders_are_to_be_paid_before_the_first_of_them_ends(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    orders = [await harness.place_order(("s1", 1)), await harness.place_order(("s2", 1))]
    await harness.pool.execute("UPDATE orders SET expire_at = expire_at - interval '5 min' WHERE id = $1", orders[0])
    await harness.handle(OrderMerge(request_id="m", actor=user(), order_ids=tuple(orders)))
    intent_id = int(harness.events_of("order.merged")[0]["intent_id"])
    await harness.handle(start(orders[1], 1000, intent_id=intent_id))
    [started] = harness.events_of("payment.started")
    [(first,)] = await harness.rows("SELECT min(expire_at) FROM orders")
    assert datetime.fromisoformat(started["pay_before"]) == first


async def test_of_two_starts_in_one_batch_only_the_last_attempt_may_be_paid(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, 1000, "pay-1"), start(order_id, 1000, "pay-2"))
    first, _ = harness.events_of("payment.started")
    assert await attempts_now(harness) == ["closing", "requested"]
    assert harness.provider_calls == [("alipay", ProviderClose(attempt_id=int(first["attempt_id"])))]


async def alone_and_together(harness: HandlerHarness) -> tuple[list[int], list[dict[str, Any]]]:
    """Two orders, merged; the first has an attempt of its own and one that pays both."""
    order_id, alone = await opened(harness)
    orders = [order_id, await harness.place_order(("s2", 2))]
    await harness.handle(OrderMerge(request_id="m", actor=user(), order_ids=tuple(orders)))
    intent_id = int(harness.events_of("order.merged")[0]["intent_id"])
    await harness.handle(start(orders[1], 2000, "both", intent_id=intent_id))
    return orders, [alone, harness.events_of("payment.started")[-1]]


@pytest.mark.parametrize("paid", [0, 1], ids=["alone", "together"])
async def test_what_pays_an_order_closes_what_would_pay_it_another_way(harness: HandlerHarness, paid: int) -> None:
    _, started = await alone_and_together(harness)
    assert harness.provider_calls == []
    await harness.handle(notified(started[paid]))
    assert harness.provider_calls == [("alipay", ProviderClose(attempt_id=int(started[1 - paid]["attempt_id"])))]
    assert (await attempts_now(harness))[1 - paid] == "closing"


async def test_orders_are_not_paid_together_once_one_of_them_is_paid_nor_with_another_users_order(
    harness: HandlerHarness,
) -> None:
    orders, [alone, both] = await alone_and_together(harness)
    unrelated = await harness.place_order(("s1", 2))
    await harness.handle(notified(alone))
    for order_id, request_id in ((orders[1], "p1"), (unrelated, "p2")):
        await harness.handle(start(order_id, 2000, request_id, intent_id=int(both["intent_id"])))
    assert [event["code"] for event in harness.events_of("command.rejected")] == [
        "PAY_ALREADY_PAID",
        "PAY_PARAM_INVALID",
    ]


async def test_of_two_captures_the_one_that_arrived_first_is_kept(harness: HandlerHarness) -> None:
    order_id, started = await opened(harness)
    batch = [harness.envelope(notified(started, "t1")), harness.envelope(captured(order_id, 1000, "t2"), trusted=True)]
    await harness.handle_batch(batch)
    await harness.relay()
    verdicts = {event["trade_no"]: event["verdict"] for event in harness.events_of("payment.captured")}
    assert verdicts == {"t1": "kept", "t2": "duplicate"}


async def test_a_trade_number_is_ours_only_at_the_provider_that_gave_it(harness: HandlerHarness) -> None:
    _, started = await opened(harness)
    await harness.handle(notified(started, "t9"))
    other = await harness.place_order(("s2", 2))
    await harness.handle(captured(other, 1000, "t9").model_copy(update={"provider": "wechat"}), trusted=True)
    await harness.handle(cancel(other))
    [refund] = harness.events_of("refund.requested")
    assert (harness.provider_calls, await harness.rows("SELECT count(*) FROM timers WHERE kind = 'refund'")) == (
        [],
        [(0,)],
    )
    async with harness.pool.acquire() as tx:
        assert await refunds_of_attempts(tx, [refund["refund_no"]]) == {}


async def test_a_refund_that_is_requested_again_is_polled_again(harness: HandlerHarness) -> None:
    order_id, started = await opened(harness)
    await harness.handle(notified(started))
    await harness.handle(cancel(order_id))
    [refund] = harness.events_of("refund.requested")
    number, call = refund["refund_no"], ("alipay", ProviderRefund(refund_no=refund["refund_no"]))
    failure = {"refund_no": number, "status": "failed", "amount": 1000, "currency": "CNY"}
    await harness.handle(RefundObserved(**failure, occurred_at=datetime.now(UTC)))
    watched = "SELECT count(*) FROM timers WHERE kind = 'refund'"
    assert (harness.provider_calls, await harness.rows(watched)) == ([call], [(0,)])
    request = RefundRequest(
        request_id="a", actor=OPERATOR, order_id=order_id, amount=1000, reason="again", refund_no=number
    )
    await harness.handle(request, trusted=True)
    assert (harness.provider_calls, await harness.rows(watched)) == ([call, call], [(1,)])


async def test_a_worker_without_providers_still_keeps_what_became_of_an_attempt(harness: HandlerHarness) -> None:
    _, started = await opened(harness)
    providers.configure({})
    await harness.handle(failed(started))
    assert await attempts_now(harness) == ["failed"]


async def test_a_worker_without_providers_has_the_attempts_of_ended_orders_closed_by_those_with(
    harness: HandlerHarness,
) -> None:
    order_id, started = await opened(harness)
    providers.configure({})
    await harness.handle(cancel(order_id))
    assert harness.provider_calls == [("alipay", ProviderClose(attempt_id=int(started["attempt_id"])))]
    assert await attempts_now(harness) == ["closing"]


async def test_locking_what_changes_hides_nothing_that_has_to_be_closed(harness: HandlerHarness) -> None:
    order_id, first = await opened(harness)
    attempt_id = int(first["attempt_id"])
    [(intent_id,)] = await harness.rows("SELECT intent_id FROM payment_attempts")
    async with harness.pool.acquire() as tx, tx.transaction():
        assert [one.attempt.id for one in await attempts.live(tx, [intent_id], [order_id], [attempt_id])] == [
            attempt_id
        ]
        assert await attempts.live(tx, [], [], [attempt_id]) == []


async def unanswered(harness: HandlerHarness, *attempt_ids: int) -> None:
    """Calls to Alipay about these attempts get no answer."""
    items = [harness.envelope(ProviderQuery(attempt_id=key)) for key in attempt_ids]
    async with harness.pool.acquire() as tx, tx.transaction():
        answers = {item.id: UnknownOutcome("TimeoutError") for item in items}
        await take_answers(tx, Batch[Any](items, datetime.now(UTC), answers), provider="alipay")


LOCKERS = [("closing", "a capture"), ("requested", "a cancellation"), ("requested", "a query")]


@pytest.mark.parametrize(("state", "who"), LOCKERS, ids=[who for _, who in LOCKERS])
async def test_attempts_are_locked_in_order_of_their_ids(harness: HandlerHarness, state: str, who: str) -> None:
    order_id, started = await opened(harness)
    await harness.handle(start(order_id, 1000, "pay-2"))
    first, second = (int(event["attempt_id"]) for event in harness.events_of("payment.started"))
    await harness.pool.execute("UPDATE payment_attempts SET state = $1 WHERE id = $2", state, first)
    does: dict[str, Any] = {
        "a capture": lambda: harness.handle_batch([harness.envelope(notified(started))]),
        "a cancellation": lambda: harness.handle_batch([harness.envelope(cancel(order_id))]),
        "a query": lambda: unanswered(harness, second, first),
    }
    lock = "SELECT FROM payment_attempts WHERE id = $1 FOR UPDATE NOWAIT"
    async with harness.pool.acquire() as tx, asyncio.TaskGroup() as workers, tx.transaction():
        await tx.execute(lock, first)
        worker = workers.create_task(does[who]())
        while not await harness.pool.fetchval(WAITING):
            assert not worker.done(), "it locks nothing"
            await asyncio.sleep(0.002)
        await tx.execute(lock, second)


def test_of_several_changes_the_last_counts_but_for_a_capture() -> None:
    approved, closing, captured_ = (
        AttemptChange(1, reference="theirs"),
        AttemptChange(1, AttemptState.CLOSING),
        AttemptChange(1, AttemptState.CAPTURED, trade_no="t"),
    )
    assert closing.after(approved) == AttemptChange(1, AttemptState.CLOSING, "theirs")
    assert AttemptChange(1, AttemptState.FAILED, trade_no="u").after(captured_) == captured_
    assert captured_.after(closing).state == "captured"
