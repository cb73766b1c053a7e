"""What gateways do wrong on demand, each once: what the merchant makes of it, and what the books say."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.gateways.habits import PROBABILITIES, Habits
from scripts.gateways.startup import GATEWAYS
from tests.scripts.gateways.merchant import Merchant, open_merchant
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    PaymentReport,
    RefundReport,
    RejectedNotification,
    UnknownCertificate,
    UnknownOutcome,
    with_certificates,
)

QUIET = {"unsent": 1.0}
CLOSING = [("wechat", "qr"), ("alipay", "page")]


def shown(merchant: Merchant) -> list[tuple[bytes, str]]:
    """What arrived: body, and what each of WeChat Pay's and PayPal's copies has of its own."""
    names = ("wechatpay-nonce", "paypal-transmission-id")
    return [(n.body, "".join(n.headers.get(name, "") for name in names)) for n in merchant.notifications]


async def bought(merchant: Merchant, scene: str | None = None) -> tuple[Any, dict[str, Any]]:
    attempt, ready = await merchant.open_attempt(merchant.attempt(scene))
    return attempt, await merchant.pay(ready)


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("habit", ["reserialised", "forged"])
async def test_a_copy_that_is_not_genuine_is_refused_and_the_genuine_one_follows(name: str, habit: str) -> None:
    async with open_merchant(name, **{habit: 1.0}) as merchant:
        attempt, _ = await bought(merchant)
        bad, good = await merchant.verified(2)
        assert isinstance(bad, RejectedNotification), bad
        assert bad.code == "PAY_SIGNATURE_INVALID"
        assert isinstance(good, PaymentReport | ApprovalReport), good
        assert good.out_trade_no == attempt.out_trade_no
        assert (await merchant.ledger())["habits"][habit] == 1


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_notification_comes_twice_within_a_second(name: str) -> None:
    async with open_merchant(name, doubled=1.0) as merchant:
        started = datetime.now(UTC)
        await bought(merchant)
        first, second = await merchant.verified(2)
        assert isinstance(first, PaymentReport | ApprovalReport), first
        assert first == second
        assert (merchant.notifications[1].received_at - started).total_seconds() < 5
        signed_anew = name == "wechat"
        assert (len(set(shown(merchant))) == 2) == signed_anew
        assert len({body for body, _ in shown(merchant)}) == 1


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_notification_comes_late_and_until_then_only_a_query_knows(name: str) -> None:
    async with open_merchant(name, late=1.0, late_seconds=0.3) as merchant:
        attempt, _ = await bought(merchant)
        found = await merchant.query(attempt)
        assert isinstance(found, ApprovalReport) or (isinstance(found, PaymentReport) and found.status == "captured")
        assert merchant.notifications == []
        assert isinstance((await merchant.verified(1))[0], PaymentReport | ApprovalReport)


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_payment_without_a_notification_is_found_by_a_query(name: str) -> None:
    async with open_merchant(name, **QUIET) as merchant:
        await merchant.paid()
        assert merchant.notifications == []
        assert (await merchant.ledger())["notifications"].get("sent", 0) == 0


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_wrong_amount_is_notified_queried_recorded_and_refunded_as_such(name: str) -> None:
    async with open_merchant(name, wrong_amount=1.0) as merchant:
        attempt, paid = await merchant.paid()
        assert paid.amount != attempt.amount
        [book] = (await merchant.ledger())["captures"]
        assert (book["requested"], book["amount"]) == (attempt.amount, paid.amount)
        told = [said for said in await merchant.verified(1) if isinstance(said, PaymentReport)]
        assert {said.amount for said in told} <= {paid.amount}
        assert isinstance(await merchant.refund(merchant.refund_ask(attempt, paid, paid.amount)), RefundReport)
        assert (await merchant.ledger())["refunded"] == {merchant.currency: paid.amount}


@pytest.mark.parametrize("name", GATEWAYS)
async def test_an_answer_that_comes_too_late_leaves_it_open_and_the_refund_is_done_once(name: str) -> None:
    async with open_merchant(name, timeout_seconds=0.2) as merchant:
        await unanswered(merchant, Habits(slow=1.0, slow_seconds=0.5))


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_lost_answer_leaves_it_open_and_the_refund_is_done_once(name: str) -> None:
    async with open_merchant(name) as merchant:
        await unanswered(merchant, Habits(lost=1.0))


async def unanswered(merchant: Merchant, habits: Habits) -> None:
    merchant.set_habits()
    attempt, paid = await merchant.paid()
    ask = merchant.refund_ask(attempt, paid, 888)
    merchant.gateway.dice.habits = habits
    assert isinstance(await merchant.refund(ask), UnknownOutcome)
    merchant.set_habits()
    done = await merchant.query_refund(ask)
    assert isinstance(done, RefundReport), done
    assert (done.status, done.amount) == ("succeeded", 888)
    await merchant.refund(ask)
    assert (await merchant.ledger())["refunded"] == {merchant.currency: 888}


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_500_is_nothing_done(name: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, paid = await merchant.paid()
        ask = merchant.refund_ask(attempt, paid, 888)
        merchant.set_habits(error=1.0)
        assert isinstance(await merchant.refund(ask), UnknownOutcome)
        assert isinstance(await merchant.query(attempt), UnknownOutcome)
        assert (await merchant.ledger())["refunds"] == []
        merchant.set_habits()
        assert isinstance(await merchant.refund(ask), RefundReport)


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_refund_is_processing_before_it_succeeds_and_is_notified(name: str) -> None:
    async with open_merchant(name, **QUIET) as merchant:
        attempt, paid = await merchant.paid()
        ask = merchant.refund_ask(attempt, paid, 888)
        merchant.set_habits(refund_processing=1.0, refund_seconds=0.4)
        answer = await merchant.refund(ask)
        assert isinstance(answer, UnknownOutcome) or (
            isinstance(answer, RefundReport) and answer.status == "processing"
        ), answer
        found = await merchant.query_refund(ask)
        assert isinstance(found, UnknownOutcome) or (
            isinstance(found, RefundReport) and found.status == "processing"
        ), found
        assert (await merchant.ledger())["refunded"] == {merchant.currency: 0}
        [said] = await merchant.verified(1)
        assert isinstance(said, RefundReport), said
        assert said.refund_no == ask.refund_no
        done = await merchant.query_refund(ask)
        assert isinstance(done, RefundReport), done
        assert done.status == "succeeded"
        assert (await merchant.ledger())["refunded"] == {merchant.currency: 888}


@pytest.mark.parametrize(("name", "scene"), CLOSING)
async def test_a_payment_during_the_close_is_notified_and_kept(name: str, scene: str) -> None:
    async with open_merchant(name, paid_at_close=1.0) as merchant:
        attempt, ready = await merchant.open_attempt(merchant.attempt(scene))
        if ready.kind == "redirect":
            async with merchant.client.get(ready.url or ""):
                pass
        said = await merchant.close(attempt)
        assert isinstance(said, PaymentReport), said
        assert said.status == "pending"
        assert said.reason
        [told] = await merchant.verified(1)
        assert isinstance(told, PaymentReport), told
        assert (told.out_trade_no, told.status) == (attempt.out_trade_no, "captured")


ANSWERS: dict[str, list[tuple[int, str | None]]] = {
    "wechat": [(500, None), (200, '{"code":"FAIL"}'), (204, None)],
    "alipay": [(500, None), (200, "ok"), (200, "SUCCESS"), (200, "success")],
    "unionpay": [(500, None), (204, None), (200, "whatever")],
    "paypal": [(500, None), (302, None), (202, None)],
}
"""What a merchant answers with: the last one only is an acknowledgement."""


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_notification_is_sent_again_until_it_is_acknowledged_in_the_providers_words(name: str) -> None:
    async with open_merchant(name) as merchant:
        merchant.answers = list(ANSWERS[name])
        await bought(merchant)
        said = await merchant.verified(len(ANSWERS[name]))
        assert len(set(said)) == 1
        await settled(merchant, acknowledged=1)
        assert len(merchant.notifications) == len(ANSWERS[name])


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_notification_is_given_up_at_the_end_of_the_schedule(name: str) -> None:
    async with open_merchant(name, time_factor=0.0) as merchant:
        copies = len(merchant.gateway.schedule_seconds) + 1
        merchant.answers = [(500, None)] * (copies + 1)
        await bought(merchant)
        await settled(merchant, **{"given up": 1})
        assert len(merchant.notifications) == copies


async def settled(merchant: Merchant, **told: int) -> None:
    async with asyncio.timeout(20):
        while not told.items() <= merchant.gateway.notifier.did.items():
            await asyncio.sleep(0.01)
    assert merchant.gateway.notifier.waiting == 0


@pytest.mark.parametrize("name", GATEWAYS)
async def test_after_the_rotation_notifications_are_signed_with_the_second_key(name: str) -> None:
    async with open_merchant(name, rotate_after=1) as merchant:
        await bought(merchant)
        await merchant.verified(1)
        await bought(merchant)
        said = await merchant.verified(2)
        assert isinstance(said[0], PaymentReport | ApprovalReport)
        unknown = said[1]
        if isinstance(unknown, UnknownCertificate):
            known = await merchant.certificates(unknown.serial)
            merchant.provider = with_certificates(merchant.provider, known)
            said = await merchant.verified(2)
        assert isinstance(unknown, UnknownCertificate) == (name in ("wechat", "paypal"))
        assert isinstance(said[1], PaymentReport | ApprovalReport), said[1]
        attempt, _ = await merchant.paid()  # answers are signed with the new key too
        assert isinstance(await merchant.query(attempt), PaymentReport | ApprovalReport)


async def test_everything_at_once_stays_countable() -> None:
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
        books = await merchant.ledger()
        assert len(books["captures"]) == paid
        assert books["captured"]["CNY"] == sum(capture["amount"] for capture in books["captures"])
        assert books["habits"]["lost"] > 0
        assert books["habits"]["error"] > 0
