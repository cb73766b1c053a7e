"""What gateways do wrong on demand, each once: what the merchant makes of it, and what the books say."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.gateways.habits import PROBABILITIES, Habits
from scripts.gateways.running import KINDS
from tests.scripts.gateways.merchant import Till, open_till
from workers.providers.port import Approved, CertificateUnknown, Paid, Ready, Refunded, Rejected, Unknown

QUIET = {"untold": 1.0}
CLOSING = [("wechat", "qr"), ("alipay", "page")]


def shown(till: Till) -> list[tuple[bytes, str]]:
    """What arrived: body, and what each of WeChat Pay's and PayPal's copies has of its own."""
    names = ("wechatpay-nonce", "paypal-transmission-id")
    return [(n.body, "".join(n.headers.get(name, "") for name in names)) for n in till.notifications]


async def bought(till: Till, scene: str | None = None) -> tuple[Any, dict[str, Any]]:
    attempt, ready = await till.opened(till.attempt(scene))
    return attempt, await till.pay(ready)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("habit", ["reserialised", "forged"])
async def test_a_copy_that_is_not_genuine_is_refused_and_the_genuine_one_follows(name: str, habit: str) -> None:
    async with open_till(name, **{habit: 1.0}) as till:
        attempt, _ = await bought(till)
        bad, good = await till.told(2)
        assert isinstance(bad, Rejected), bad
        assert bad.code == "PAY_SIGNATURE_INVALID"
        assert isinstance(good, Paid | Approved), good
        assert good.out_trade_no == attempt.out_trade_no
        assert (await till.ledger())["habits"][habit] == 1


@pytest.mark.parametrize("name", KINDS)
async def test_a_notification_comes_twice_within_a_second(name: str) -> None:
    async with open_till(name, doubled=1.0) as till:
        started = datetime.now(UTC)
        await bought(till)
        first, second = await till.told(2)
        assert isinstance(first, Paid | Approved), first
        assert first == second
        assert (till.notifications[1].received_at - started).total_seconds() < 5
        signed_anew = name == "wechat"
        assert (len(set(shown(till))) == 2) == signed_anew
        assert len({body for body, _ in shown(till)}) == 1


@pytest.mark.parametrize("name", KINDS)
async def test_a_notification_comes_late_and_until_then_only_a_query_knows(name: str) -> None:
    async with open_till(name, late=1.0, late_seconds=0.3) as till:
        attempt, _ = await bought(till)
        found = await till.query(attempt)
        assert isinstance(found, Approved) or (isinstance(found, Paid) and found.status == "captured")
        assert till.notifications == []
        assert isinstance((await till.told(1))[0], Paid | Approved)


@pytest.mark.parametrize("name", KINDS)
async def test_what_is_never_told_is_known_to_who_asks(name: str) -> None:
    async with open_till(name, **QUIET) as till:
        await till.paid()
        assert till.notifications == []
        assert (await till.ledger())["notifications"].get("sent", 0) == 0


@pytest.mark.parametrize("name", KINDS)
async def test_a_wrong_amount_is_told_asked_booked_and_given_back_as_such(name: str) -> None:
    async with open_till(name, wrong_amount=1.0) as till:
        attempt, paid = await till.paid()
        assert paid.amount != attempt.amount
        [book] = (await till.ledger())["captures"]
        assert (book["asked"], book["amount"]) == (attempt.amount, paid.amount)
        told = [said for said in await till.told(1) if isinstance(said, Paid)]
        assert {said.amount for said in told} <= {paid.amount}
        assert isinstance(await till.refund(till.ask(attempt, paid, paid.amount)), Refunded)
        assert (await till.ledger())["refunded"] == {till.currency: paid.amount}


@pytest.mark.parametrize("name", KINDS)
async def test_an_answer_that_comes_too_late_leaves_it_open_and_the_refund_is_done_once(name: str) -> None:
    async with open_till(name, timeout_seconds=0.2) as till:
        await unanswered(till, Habits(slow=1.0, slow_seconds=0.5))


@pytest.mark.parametrize("name", KINDS)
async def test_a_lost_answer_leaves_it_open_and_the_refund_is_done_once(name: str) -> None:
    async with open_till(name) as till:
        await unanswered(till, Habits(lost=1.0))


async def unanswered(till: Till, habits: Habits) -> None:
    till.behave()
    attempt, paid = await till.paid()
    ask = till.ask(attempt, paid, 888)
    till.gateway.dice.habits = habits
    assert isinstance(await till.refund(ask), Unknown)
    till.behave()
    done = await till.query_refund(ask)
    assert isinstance(done, Refunded), done
    assert (done.status, done.amount) == ("succeeded", 888)
    await till.refund(ask)
    assert (await till.ledger())["refunded"] == {till.currency: 888}


@pytest.mark.parametrize("name", KINDS)
async def test_a_500_is_nothing_done(name: str) -> None:
    async with open_till(name) as till:
        attempt, paid = await till.paid()
        ask = till.ask(attempt, paid, 888)
        till.behave(error=1.0)
        assert isinstance(await till.refund(ask), Unknown)
        assert isinstance(await till.query(attempt), Unknown)
        assert (await till.ledger())["refunds"] == []
        till.behave()
        assert isinstance(await till.refund(ask), Refunded)


@pytest.mark.parametrize("name", KINDS)
async def test_a_refund_is_under_way_before_it_is_done_and_told(name: str) -> None:
    async with open_till(name, **QUIET) as till:
        attempt, paid = await till.paid()
        ask = till.ask(attempt, paid, 888)
        till.behave(refund_processing=1.0, refund_seconds=0.4)
        answer = await till.refund(ask)
        assert isinstance(answer, Unknown) or (isinstance(answer, Refunded) and answer.status == "processing"), answer
        found = await till.query_refund(ask)
        assert isinstance(found, Unknown) or (isinstance(found, Refunded) and found.status == "processing"), found
        assert (await till.ledger())["refunded"] == {till.currency: 0}
        [said] = await till.told(1)
        assert isinstance(said, Refunded), said
        assert said.refund_no == ask.refund_no
        done = await till.query_refund(ask)
        assert isinstance(done, Refunded), done
        assert done.status == "succeeded"
        assert (await till.ledger())["refunded"] == {till.currency: 888}


@pytest.mark.parametrize(("name", "scene"), CLOSING)
async def test_a_payment_that_comes_while_it_is_closed_is_told_and_kept(name: str, scene: str) -> None:
    async with open_till(name, paid_at_close=1.0) as till:
        attempt, ready = await till.opened(till.attempt(scene))
        if ready.kind == "redirect":
            async with till.client.get(ready.url or ""):
                pass
        said = await till.close(attempt)
        assert isinstance(said, Paid), said
        assert said.status == "pending"
        assert said.reason
        [told] = await till.told(1)
        assert isinstance(told, Paid), told
        assert (told.out_trade_no, told.status) == (attempt.out_trade_no, "captured")


ANSWERS: dict[str, list[tuple[int, str | None]]] = {
    "wechat": [(500, None), (200, '{"code":"FAIL"}'), (204, None)],
    "alipay": [(500, None), (200, "ok"), (200, "SUCCESS"), (200, "success")],
    "unionpay": [(500, None), (204, None), (200, "whatever")],
    "paypal": [(500, None), (302, None), (202, None)],
}
"""What a merchant answers with: the last one only is an acknowledgement."""


@pytest.mark.parametrize("name", KINDS)
async def test_a_notification_is_sent_again_until_it_is_acknowledged_in_the_providers_words(name: str) -> None:
    async with open_till(name) as till:
        till.answers = list(ANSWERS[name])
        await bought(till)
        said = await till.told(len(ANSWERS[name]))
        assert len(set(said)) == 1
        await settled(till, acknowledged=1)
        assert len(till.notifications) == len(ANSWERS[name])


@pytest.mark.parametrize("name", KINDS)
async def test_a_notification_is_given_up_at_the_end_of_the_schedule(name: str) -> None:
    async with open_till(name, time_factor=0.0) as till:
        copies = len(till.gateway.schedule_seconds) + 1
        till.answers = [(500, None)] * (copies + 1)
        await bought(till)
        await settled(till, **{"given up": 1})
        assert len(till.notifications) == copies


async def settled(till: Till, **told: int) -> None:
    async with asyncio.timeout(20):
        while not told.items() <= till.gateway.notifier.did.items():
            await asyncio.sleep(0.01)
    assert till.gateway.notifier.waiting == 0


@pytest.mark.parametrize("name", KINDS)
async def test_after_the_rotation_notifications_are_signed_with_the_second_key(name: str) -> None:
    async with open_till(name, rotate_after=1) as till:
        await bought(till)
        await till.told(1)
        await bought(till)
        said = await till.told(2)
        assert isinstance(said[0], Paid | Approved)
        unknown = said[1]
        if isinstance(unknown, CertificateUnknown):
            known = await till.certificates(unknown.serial)
            till.provider = till.provider.with_certificates(known)
            said = await till.told(2)
        assert isinstance(unknown, CertificateUnknown) == (name in ("wechat", "paypal"))
        assert isinstance(said[1], Paid | Approved), said[1]
        attempt, _ = await till.paid()  # answers are signed with the new key too
        assert isinstance(await till.query(attempt), Paid | Approved)


async def test_everything_at_once_stays_countable() -> None:
    habits = {name: 0.3 for name in PROBABILITIES if name not in ("slow", "untold")}
    async with open_till("wechat", **habits, late_seconds=0.05) as till:
        paid = 0
        for _ in range(30):
            attempt = till.attempt("qr")
            ready = await till.start(attempt)
            while not isinstance(ready, Ready):
                ready = await till.start(attempt)
            await till.pay(replace(ready))
            paid += 1
        books = await till.ledger()
        assert len(books["captures"]) == paid
        assert books["captured"]["CNY"] == sum(capture["amount"] for capture in books["captures"])
        assert books["habits"]["lost"] > 0
        assert books["habits"]["error"] > 0
