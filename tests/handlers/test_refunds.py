"""Refunds: each succeeds once, a failed one can be requested again, and no more goes back than was captured."""

from typing import Any

from messages.explanations import OrderExplain, OrderExplained
from messages.order_queries import OrderDescribed, OrderGet
from messages.refunds import RefundRequest
from tests.handlers.builders import OPERATOR, cancel, captured, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from tests.handlers.refund_builders import refund_result, request_refund
from workers.store import refunds


async def totals(harness: HandlerHarness) -> list[tuple[int, int]]:
    return await harness.rows("SELECT captured_amount, refunded_amount FROM orders ORDER BY id")


async def test_a_refund_succeeds_once_and_its_order_counts_it_once(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    await harness.handle(refund_result(requested), refund_result(requested), trusted=True)
    await harness.handle(refund_result(requested), refund_result(requested, "failed"), trusted=True)
    assert len(harness.events_of("refund.succeeded")) == 1
    assert await harness.pool.fetchval("SELECT state FROM refunds") == "succeeded"
    row = await harness.pool.fetchrow("SELECT captured_amount, refunded_amount FROM orders")
    assert row is not None
    assert tuple(row) == (1000, 1000)


async def test_a_failed_refund_alerts_and_a_later_success_settles_it(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    await harness.handle(refund_result(requested, "failed"), trusted=True)
    assert harness.events_of("alert.raised")[0]["code"] == "PAY_PROVIDER_ERROR"
    await harness.handle(refund_result(requested), trusted=True)
    assert await harness.pool.fetchval("SELECT state FROM refunds") == "succeeded"


async def test_a_refund_result_for_another_amount_is_dead_lettered_and_for_an_unknown_number_retried(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    odd, unknown = refund_result(requested, amount=1), refund_result(requested, refund_no="R404")
    batch = await harness.handle_batch([harness.envelope(odd, trusted=True), harness.envelope(unknown, trusted=True)])
    assert [(v.reason, v.retry) for v in batch.verdicts.values()] == [
        ("refund_amount_differs", False),
        ("refund_unknown", True),
    ]
    assert await harness.pool.fetchval("SELECT state FROM refunds") == "requested"


async def test_operators_refund_up_to_what_is_captured_and_no_further(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))

    def refund(amount: int, request_id: str, actor=OPERATOR) -> RefundRequest:  # type: ignore[no-untyped-def]
        return RefundRequest(request_id=request_id, actor=actor, order_id=order_id, amount=amount, reason="goodwill")

    await harness.handle(refund(600, "a"), refund(401, "b"), refund(400, "c"), trusted=True)
    assert sorted(r["amount"] for r in harness.events_of("refund.requested")) == [400, 600]
    assert [r["code"] for r in harness.events_of("command.rejected")] == ["PAY_REFUND_EXCEEDS"]
    await harness.handle(refund(1, "d"), trusted=True)
    await harness.handle(refund(1, "e", user()), trusted=False)
    await harness.handle(refund(0, "f", user()), trusted=True)
    assert [r["code"] for r in harness.events_of("command.rejected")[1:]] == [
        "PAY_REFUND_EXCEEDS",
        *["AUTH_FORBIDDEN"] * 2,
    ]


async def test_a_parameter_of_a_refund_that_makes_no_sense_is_named(harness: HandlerHarness) -> None:
    """What it says is not shown, because it may be a name or a number."""
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    wrong: list[dict[str, Any]] = [
        {"reason": None},
        {"reason": "  "},
        {"reason": "x" * 256},
        {"amount": 0},
        {"amount": -1},
        {"amount": 0, "refund_no": "R1"},
        {"refund_no": "R1", "replaces": "R1"},
    ]
    good: dict[str, Any] = {"actor": OPERATOR, "order_id": order_id, "amount": 1, "reason": "goodwill"}
    for number, change in enumerate(wrong):
        await harness.handle(RefundRequest(request_id=f"w{number}", **good | change), trusted=True)
    fields = ["reason"] * 3 + ["amount"] * 3 + ["replaces"]
    assert harness.rejections() == [("REFUND_PARAM_INVALID", {"field": field}) for field in fields]
    assert harness.events_of("refund.requested") == []


async def test_a_failed_refund_is_requested_again_under_the_same_number(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")

    def refund(request_id: str, amount: int = 1000) -> RefundRequest:
        return RefundRequest(
            request_id=request_id,
            actor=OPERATOR,
            order_id=order_id,
            amount=amount,
            reason="again",
            refund_no=requested["refund_no"],
        )

    await harness.handle(refund("a"), trusted=True)
    await harness.handle(refund_result(requested, "failed"), trusted=True)
    await harness.handle(refund("b", 999), refund("c"), refund("d"), trusted=True)
    assert [r["refund_no"] for r in harness.events_of("refund.requested")] == [requested["refund_no"]] * 2
    assert [r["code"] for r in harness.events_of("command.rejected")] == ["REFUND_NOT_ALLOWED"] * 3
    await harness.handle(refund_result(requested), trusted=True)
    assert await harness.pool.fetchval("SELECT refunded_amount FROM orders") == 1000


async def test_what_a_failed_refund_did_not_give_back_can_go_back_by_another_but_not_by_both(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))

    def refund(request_id: str, amount: int = 1000, refund_no: str | None = None) -> RefundRequest:
        return RefundRequest(
            request_id=request_id,
            actor=OPERATOR,
            order_id=order_id,
            amount=amount,
            reason="a gift",
            refund_no=refund_no,
        )

    await harness.handle(refund("a"), trusted=True)
    [failed] = harness.events_of("refund.requested")
    await harness.handle(refund_result(failed, "failed"), trusted=True)
    await harness.handle(refund("b"), trusted=True)
    [_, other] = harness.events_of("refund.requested")
    assert other["refund_no"] != failed["refund_no"]
    await harness.handle(refund("c", refund_no=failed["refund_no"]), refund("d", 1), trusted=True)
    assert [r["code"] for r in harness.events_of("command.rejected")] == ["PAY_REFUND_EXCEEDS"] * 2
    await harness.handle(refund_result(other, "failed"), trusted=True)
    await harness.handle(refund("e", refund_no=failed["refund_no"]), refund("f"), trusted=True)
    assert [r["refund_no"] for r in harness.events_of("refund.requested")[2:]] == [failed["refund_no"]]
    assert [r["code"] for r in harness.events_of("command.rejected")[2:]] == ["PAY_REFUND_EXCEEDS"]


async def two_failed_refunds(harness: HandlerHarness) -> tuple[int, str, str]:
    """Place and pay an order of 1000, of which two refunds of 500 failed; return their numbers."""
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(request_refund(order_id, "a", 500), request_refund(order_id, "b", 500), trusted=True)
    first, second = harness.events_of("refund.requested")
    await harness.handle(refund_result(first, "failed"), refund_result(second, "failed"), trusted=True)
    return order_id, first["refund_no"], second["refund_no"]


async def again_awaited(harness: HandlerHarness, order_id: int) -> list[str | None]:
    """The refunds that wait for an operator, as order.explain shows them."""
    [reply] = await ask(harness, OrderExplain(actor=OPERATOR, order=str(order_id)))
    assert isinstance(reply, OrderExplained)
    return [one.ref for one in reply.awaits if one.what == "refund_again"]


async def test_a_refund_that_replaces_a_failed_one_says_which_of_two_equal_ones(harness: HandlerHarness) -> None:
    order_id, first, second = await two_failed_refunds(harness)
    assert await again_awaited(harness, order_id) == [first, second]
    await harness.handle(request_refund(order_id, "c", 500, replaces=second), trusted=True)
    other = harness.events_of("refund.requested")[-1]
    assert (other["replaces"], other["refund_no"] in {first, second}) == (second, False)
    assert await again_awaited(harness, order_id) == [first]
    [shown] = await ask(harness, OrderGet(actor=OPERATOR, order=str(order_id)))
    assert isinstance(shown, OrderDescribed)
    assert [(one.refund_no, one.replaces) for one in shown.refunds] == [
        (first, None),
        (second, None),
        (other["refund_no"], second),
    ]
    await harness.handle(refund_result(other), trusted=True)
    assert await again_awaited(harness, order_id) == [first]
    await harness.handle(request_refund(order_id, "d", 500), trusted=True)
    assert await again_awaited(harness, order_id) == [], "nothing is left of the capture"


async def test_a_refund_is_replaced_once_and_then_its_replacement_is_the_one_to_request_again(
    harness: HandlerHarness,
) -> None:
    order_id, first, second = await two_failed_refunds(harness)
    twice = [request_refund(order_id, name, 500, replaces=first) for name in ("c", "d")]
    await harness.handle(*twice, request_refund(order_id, "e", 500, first), trusted=True)
    other = harness.events_of("refund.requested")[-1]
    assert harness.rejections() == [("REFUND_NOT_ALLOWED", {})] * 2, "the other refund has no number yet"
    await harness.handle(refund_result(other, "failed"), trusted=True)
    assert await again_awaited(harness, order_id) == [second, other["refund_no"]]
    await harness.handle(request_refund(order_id, "f", 500, first), trusted=True)
    assert harness.rejections()[-1] == ("REFUND_NOT_ALLOWED", {"replaced_by": other["refund_no"]})
    await harness.handle(request_refund(order_id, "g", 500, other["refund_no"]), trusted=True)
    await harness.handle(request_refund(order_id, "h", 500, second), trusted=True)
    assert await again_awaited(harness, order_id) == []
    assert len(harness.rejections()) == 3


async def test_what_cannot_be_replaced_is_refused(harness: HandlerHarness) -> None:
    order_id, first, second = await two_failed_refunds(harness)
    other = await harness.place_another_paid_order(("s1", 1))
    await harness.handle(request_refund(order_id, "c", 500, second), trusted=True)
    wrong = [
        request_refund(order_id, "d", 499, replaces=first),
        request_refund(order_id, "e", 500, replaces=second),
        request_refund(order_id, "f", 500, replaces="R1"),
        request_refund(other, "g", 500, replaces=first),
        request_refund(order_id, "h", 500, first, replaces=first),
    ]
    await harness.handle(*wrong, trusted=True)
    assert [code for code, _ in harness.rejections()] == [*["REFUND_NOT_ALLOWED"] * 4, "REFUND_PARAM_INVALID"]
    await harness.handle(request_refund(order_id, "i", 500, replaces=first, actor=user()), trusted=True)
    assert harness.rejections()[-1][0] == "AUTH_FORBIDDEN"


async def test_a_failed_refund_of_a_late_payment_can_be_replaced(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(cancel(order_id))
    await harness.handle(captured(order_id, 1000), trusted=True)
    [late] = harness.events_of("refund.requested")
    await harness.handle(refund_result(late, "failed"), trusted=True)
    await harness.handle(request_refund(order_id, "a", replaces=late["refund_no"]), trusted=True)
    other = harness.events_of("refund.requested")[-1]
    assert (other["replaces"], other["trade_no"]) == (late["refund_no"], late["trade_no"])
    assert await again_awaited(harness, order_id) == []
    await harness.handle(refund_result(other), trusted=True)
    assert await harness.rows("SELECT state, replaces FROM refunds ORDER BY id") == [
        ("failed", None),
        ("succeeded", late["refund_no"]),
    ]


async def test_refunds_without_an_end_are_counted_and_the_oldest_has_its_age(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    for _ in range(2):
        order_id = await harness.place_order(("s1", 1))
        await harness.pay(order_id)
        await harness.handle(cancel(order_id, f"c{order_id}"))
    await harness.pool.execute(
        "UPDATE refunds SET requested_at = now() - interval '1 h' WHERE id = (SELECT min(id) FROM refunds)"
    )
    async with harness.pool.acquire() as tx:
        running, oldest_seconds, excess = await refunds.backlog(tx)
        assert (running, 3590 < oldest_seconds < 3700, excess) == (2, True, 0)
        await tx.execute("UPDATE refunds SET state = 'submitted'")
        assert (await refunds.backlog(tx))[0] == 2
        await tx.execute("UPDATE refunds SET state = 'succeeded', finished_at = now()")
        assert await refunds.backlog(tx) == (0, 0, 0)
        await tx.execute("UPDATE refunds SET state = 'excess', excess_amount = 1")
        assert await refunds.backlog(tx) == (0, 0, 2)


async def test_a_failure_after_a_success_is_ignored_and_a_repeated_failure_alerts_once(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(cancel(await harness.place_paid_order(("s1", 2))))
    [requested] = harness.events_of("refund.requested")
    failure, success = refund_result(requested, "failed"), refund_result(requested)
    await harness.handle(failure, failure, trusted=True)
    await harness.handle(failure, trusted=True)
    assert (len(harness.events_of("refund.failed")), len(harness.events_of("alert.raised"))) == (1, 1)
    await harness.handle(success, trusted=True)
    await harness.handle(failure, success, trusted=True)
    assert (len(harness.events_of("refund.failed")), len(harness.events_of("refund.succeeded"))) == (1, 1)
    assert await totals(harness) == [(1000, 1000)]


async def test_only_the_orders_own_failed_refund_of_that_amount_is_requested_again_and_only_once(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id, other = await harness.place_paid_order(("s1", 2)), await harness.place_another_paid_order(("s1", 2))
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    number = requested["refund_no"]
    await harness.handle(refund_result(requested, "failed"), trusted=True)
    await harness.handle(
        request_refund(other, "a", refund_no=number), request_refund(order_id, "b", 999, number), trusted=True
    )
    assert [refused["code"] for refused in harness.events_of("command.rejected")] == ["REFUND_NOT_ALLOWED"] * 2
    await harness.handle(request_refund(order_id, "c", refund_no=number), trusted=True)
    assert await harness.rows("SELECT state, finished_at FROM refunds") == [("requested", None)]
    await harness.handle(request_refund(order_id, "d", refund_no=number), trusted=True)
    assert len(harness.events_of("refund.requested")) == 2
    assert harness.provider_calls == [], "the money came by a service of the shop"


async def test_a_failed_refund_of_a_second_capture_is_requested_again_with_any_rest_of_the_first(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(captured(order_id, 1000, "t2"), captured(order_id, 1000, "t3"), trusted=True)
    second, _ = harness.events_of("refund.requested")
    await harness.handle(refund_result(second, "failed"), trusted=True)
    await harness.handle(request_refund(order_id, "a"), trusted=True)
    await harness.handle(request_refund(order_id, "b", refund_no=second["refund_no"]), trusted=True)
    assert [refund["trade_no"] for refund in harness.events_of("refund.requested")] == ["t2", "t3", "t1", "t2"]


async def test_money_in_another_currency_goes_back_and_never_counts_in_the_orders_own(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(captured(order_id, 1000, currency="USD"), trusted=True)
    [requested] = harness.events_of("refund.requested")
    batch = await harness.handle_batch([harness.envelope(refund_result(requested, currency="CNY"), trusted=True)])
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["refund_amount_differs"]
    await harness.handle(refund_result(requested), trusted=True)
    assert len(harness.events_of("refund.succeeded")) == 1
    assert await totals(harness) == [(0, 0)]
