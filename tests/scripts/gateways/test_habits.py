"""Each fault that a gateway makes on demand: how the merchant's adapter reads it, and what the ledger holds."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.gateways.habits import PROBABILITIES, Habits
from scripts.gateways.startup import GATEWAYS
from tests.scripts.gateways.merchant import Merchant, open_merchant
from workers.providers.abilities import with_certificates
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    UnknownCertificate,
    UnknownOutcome,
)

NO_NOTIFICATIONS = {"unsent": 1.0}
CLOSING = [("wechat", "qr"), ("alipay", "page"), ("stripe", "page")]


def copies_of(merchant: Merchant) -> list[tuple[bytes, str]]:
    """Body of each notification, and the header that differs between copies of WeChat Pay and PayPal."""
    names = ("wechatpay-nonce", "paypal-transmission-id")
    return [(n.body, "".join(n.headers.get(name, "") for name in names)) for n in merchant.notifications]


async def buy(merchant: Merchant, scene: str | None = None) -> tuple[Any, dict[str, Any]]:
    attempt, ready = await merchant.open_attempt(merchant.attempt(scene))
    return attempt, await merchant.pay(ready)


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("habit", ["reserialised", "forged"])
async def test_an_altered_copy_is_rejected_and_the_genuine_one_follows(name: str, habit: str) -> None:
    async with open_merchant(name, **{habit: 1.0}) as merchant:
        attempt, _ = await buy(merchant)
        bad, good = await merchant.verified(2)
        assert isinstance(bad, RejectedNotification), bad
        assert bad.code == "PAY_SIGNATURE_INVALID"
        assert isinstance(good, PaymentReport | ApprovalReport), good
        assert good.out_trade_no == attempt.out_trade_no
        assert (await merchant.ledger())["habits"][habit] == 1


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_doubled_notification_arrives_twice_at_once(name: str) -> None:
    async with open_merchant(name, doubled=1.0) as merchant:
        started = datetime.now(UTC)
        await buy(merchant)
        first, second = await merchant.verified(2)
        assert isinstance(first, PaymentReport | ApprovalReport), first
        assert first == second
        assert (merchant.notifications[1].received_at - started).total_seconds() < 5
        signed_again = name == "wechat"
        assert (len(set(copies_of(merchant))) == 2) == signed_again
        assert len({body for body, _ in copies_of(merchant)}) == 1


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_payment_is_found_by_a_query_before_its_late_notification_arrives(name: str) -> None:
    async with open_merchant(name, late=1.0, late_seconds=0.3) as merchant:
        attempt, _ = await buy(merchant)
        found = await merchant.query(attempt)
        assert isinstance(found, ApprovalReport) or (isinstance(found, PaymentReport) and found.status == "captured")
        assert merchant.notifications == []
        assert isinstance((await merchant.verified(1))[0], PaymentReport | ApprovalReport)


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_payment_without_a_notification_is_found_by_a_query(name: str) -> None:
    async with open_merchant(name, **NO_NOTIFICATIONS) as merchant:
        await merchant.paid()
        assert merchant.notifications == []
        assert (await merchant.ledger())["notifications"].get("sent", 0) == 0


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_wrong_amount_is_the_same_in_notification_query_ledger_and_refund(name: str) -> None:
    async with open_merchant(name, wrong_amount=1.0) as merchant:
        attempt, paid = await merchant.paid()
        assert paid.amount != attempt.amount
        [entry] = (await merchant.ledger())["captures"]
        assert (entry["requested"], entry["amount"]) == (attempt.amount, paid.amount)
        reports = [report for report in await merchant.verified(1) if isinstance(report, PaymentReport)]
        assert {report.amount for report in reports} <= {paid.amount}
        assert isinstance(await merchant.refund(merchant.refund_order(attempt, paid, paid.amount)), RefundReport)
        assert (await merchant.ledger())["refunded"] == {merchant.currency: paid.amount}


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_refund_with_a_late_answer_has_an_unknown_outcome_and_is_made_once(name: str) -> None:
    async with open_merchant(name, timeout_seconds=0.2) as merchant:
        await refund_without_answer(merchant, Habits(slow=1.0, slow_seconds=0.5))


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_refund_with_a_lost_answer_has_an_unknown_outcome_and_is_made_once(name: str) -> None:
    async with open_merchant(name) as merchant:
        await refund_without_answer(merchant, Habits(lost=1.0))


async def refund_without_answer(merchant: Merchant, habits: Habits) -> None:
    merchant.set_habits()
    attempt, paid = await merchant.paid()
    refund_order = merchant.refund_order(attempt, paid, 888)
    merchant.gateway.dice.habits = habits
    assert isinstance(await merchant.refund(refund_order), UnknownOutcome)
    merchant.set_habits()
    done = await merchant.query_refund(refund_order)
    assert isinstance(done, RefundReport), done
    assert (done.status, done.amount) == ("succeeded", 888)
    await merchant.refund(refund_order)
    assert (await merchant.ledger())["refunded"] == {merchant.currency: 888}


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_request_that_is_answered_with_500_has_no_effect(name: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, paid = await merchant.paid()
        refund_order = merchant.refund_order(attempt, paid, 888)
        merchant.set_habits(error=1.0)
        assert isinstance(await merchant.refund(refund_order), UnknownOutcome)
        assert isinstance(await merchant.query(attempt), UnknownOutcome)
        assert (await merchant.ledger())["refunds"] == []
        merchant.set_habits()
        assert isinstance(await merchant.refund(refund_order), RefundReport)


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_refund_is_processing_before_it_succeeds_and_is_notified(name: str) -> None:
    async with open_merchant(name, **NO_NOTIFICATIONS) as merchant:
        attempt, paid = await merchant.paid()
        refund_order = merchant.refund_order(attempt, paid, 888)
        merchant.set_habits(refund_processing=1.0, refund_seconds=0.4)
        answer = await merchant.refund(refund_order)
        assert isinstance(answer, UnknownOutcome) or (
            isinstance(answer, RefundReport) and answer.status == "processing"
        ), answer
        found = await merchant.query_refund(refund_order)
        assert isinstance(found, UnknownOutcome) or (
            isinstance(found, RefundReport) and found.status == "processing"
        ), found
        assert (await merchant.ledger())["refunded"] == {merchant.currency: 0}
        [report] = await merchant.verified(1)
        assert isinstance(report, RefundReport), report
        assert report.refund_no == refund_order.refund_no
        done = await merchant.query_refund(refund_order)
        assert isinstance(done, RefundReport), done
        assert done.status == "succeeded"
        assert (await merchant.ledger())["refunded"] == {merchant.currency: 888}


@pytest.mark.parametrize(("name", "scene"), CLOSING)
async def test_a_payment_during_a_close_is_notified_as_captured(name: str, scene: str) -> None:
    async with open_merchant(name, paid_at_close=1.0) as merchant:
        attempt, ready = await merchant.open_attempt(merchant.attempt(scene))
        if ready.kind == "redirect":
            async with merchant.client.get(ready.url or ""):
                pass
        result = await merchant.close(attempt)
        assert isinstance(result, PaymentReport), result
        assert result.status == "pending"
        assert result.reason
        [report] = await merchant.verified(1)
        assert isinstance(report, PaymentReport), report
        assert (report.out_trade_no, report.status) == (attempt.out_trade_no, "captured")


ANSWERS: dict[str, list[tuple[int, str | None]]] = {
    "wechat": [(500, None), (200, '{"code":"FAIL"}'), (204, None)],
    "alipay": [(500, None), (200, "ok"), (200, "SUCCESS"), (200, "success")],
    "unionpay": [(500, None), (204, None), (200, "whatever")],
    "paypal": [(500, None), (302, None), (202, None)],
    "stripe": [(500, None), (302, None), (202, None)],
}
"""A merchant's answers to the copies of a notification. Only the last one is an acknowledgement."""


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_notification_is_sent_again_until_it_is_acknowledged_as_the_provider_requires(name: str) -> None:
    async with open_merchant(name) as merchant:
        merchant.answers = list(ANSWERS[name])
        await buy(merchant)
        reports = await merchant.verified(len(ANSWERS[name]))
        assert len(set(reports)) == 1
        await wait_until_notified(merchant, acknowledged=1)
        assert len(merchant.notifications) == len(ANSWERS[name])


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_gateway_stops_sending_a_notification_at_the_end_of_the_schedule(name: str) -> None:
    async with open_merchant(name, time_factor=0.0) as merchant:
        copies = len(merchant.gateway.schedule_seconds) + 1
        merchant.answers = [(500, None)] * (copies + 1)
        await buy(merchant)
        await wait_until_notified(merchant, **{"given up": 1})
        assert len(merchant.notifications) == copies


async def wait_until_notified(merchant: Merchant, **counts: int) -> None:
    async with asyncio.timeout(20):
        while not counts.items() <= merchant.gateway.notifier.did.items():
            await asyncio.sleep(0.01)
    assert merchant.gateway.notifier.waiting == 0


@pytest.mark.parametrize("name", GATEWAYS)
async def test_after_the_rotation_notifications_are_signed_with_the_second_key(name: str) -> None:
    async with open_merchant(name, rotate_after=1) as merchant:
        await buy(merchant)
        await merchant.verified(1)
        await buy(merchant)
        reports = await merchant.verified(2)
        assert isinstance(reports[0], PaymentReport | ApprovalReport)
        unknown = reports[1]
        if isinstance(unknown, UnknownCertificate):
            known = await merchant.certificates(unknown.serial)
            merchant.provider = with_certificates(merchant.provider, known)
            reports = await merchant.verified(2)
        assert isinstance(unknown, UnknownCertificate) == (name in ("wechat", "paypal"))
        assert isinstance(reports[1], PaymentReport | ApprovalReport), reports[1]
        attempt, _ = await merchant.paid()  # answers are signed with the new key too
        assert isinstance(await merchant.query(attempt), PaymentReport | ApprovalReport)


async def test_the_ledger_has_every_capture_with_all_faults_at_once() -> None:
    habits = {name: 0.3 for name in PROBABILITIES if name not in ("slow", "unsent")}
    async with open_merchant("wechat", **habits, late_seconds=0.05) as merchant:
        paid = 0
        for _ in range(30):
            attempt = merchant.attempt("qr")
            ready = await merchant.start(attempt)
            while not isinstance(ready, ClientAction):
                ready = await merchant.start(attempt)
            await merchant.pay(replace(ready))
            paid += 1
        ledger = await merchant.ledger()
        assert len(ledger["captures"]) == paid
        assert ledger["captured"]["CNY"] == sum(capture["amount"] for capture in ledger["captures"])
        assert ledger["habits"]["lost"] > 0
        assert ledger["habits"]["error"] > 0
