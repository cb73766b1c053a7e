"""From the start of a payment to its refund, over HTTP: each side checks what the other one signed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.gateways.running import KINDS
from tests.scripts.gateways import impostor
from tests.scripts.gateways.merchant import Till, open_till
from workers.providers.port import Approved, Paid, Ready, Refunded, Refused, Unknown

SCENES = [
    ("wechat", "qr"), ("wechat", "jsapi"), ("wechat", "h5"), ("wechat", "app"),
    ("alipay", "page"), ("alipay", "wap"), ("alipay", "app"), ("alipay", "qr"),
    ("unionpay", "page"), ("unionpay", "wap"), ("unionpay", "app"), ("paypal", "page"),
]  # fmt: skip
CLOSING = [("wechat", "qr"), ("alipay", "page")]
"""Providers with which a payment can be closed, and a scene in which they know of it before it is paid."""


def test_every_provider_has_a_gateway_and_every_scene_is_lived() -> None:
    assert {name for name, _ in SCENES} == set(KINDS)


async def taken(till: Till, scene: str, amount: int) -> tuple[Any, Paid]:
    """An attempt whose notification was believed."""
    attempt, ready = await till.opened(till.attempt(scene, amount))
    charged = await till.pay(ready)
    said = (await till.told(1))[-1]
    if isinstance(said, Approved):
        assert (said.out_trade_no, said.reference) == (attempt.out_trade_no, attempt.reference)
        assert isinstance(await till.capture(attempt), Paid)
        said = (await till.told(2))[-1]
    assert isinstance(said, Paid), said
    assert (said.out_trade_no, said.status) == (attempt.out_trade_no, "captured")
    assert (said.amount, said.currency) == (amount, till.currency)
    assert charged["out_trade_no"] == attempt.out_trade_no
    return attempt, said


@pytest.mark.parametrize(("name", "scene"), SCENES)
async def test_a_payment_is_started_paid_told_queried_and_given_back_in_parts(name: str, scene: str) -> None:
    async with open_till(name) as till:
        attempt, paid = await taken(till, scene, 8888)
        found = await till.query(attempt)
        assert isinstance(found, Paid)
        assert replace(found, occurred_at=paid.occurred_at) == paid

        before = len(till.notifications)
        for number, amount in enumerate((888, 8000), start=1):
            ask = till.ask(attempt, paid, amount)
            answer = await till.refund(ask)
            assert isinstance(answer, Refunded), answer
            assert (answer.refund_no, answer.amount) == (ask.refund_no, amount)
            done = await till.query_refund(ask)
            assert isinstance(done, Refunded), done
            assert (done.refund_no, done.status, done.amount) == (ask.refund_no, "succeeded", amount)
            said = (await till.told(before + number))[-1]
            assert isinstance(said, Refunded), said
            assert said.refund_no == ask.refund_no
            assert await till.query_refund(ask) == done
            assert isinstance(await till.refund(ask), Refunded | Unknown)  # the same refund once more
        assert isinstance(await till.refund(till.ask(attempt, paid, 1)), Refused | Unknown)

        books = await till.ledger()
        assert books["captured"] == books["refunded"] == {till.currency: 8888}
        assert [(refund["amount"], refund["state"]) for refund in books["refunds"]] == [
            (888, "succeeded"),
            (8000, "succeeded"),
        ]
        assert [capture["trade_no"] for capture in books["captures"]] == [paid.trade_no]


@pytest.mark.parametrize(("name", "scene"), CLOSING)
async def test_what_was_closed_cannot_be_paid_and_what_was_paid_cannot_be_closed(name: str, scene: str) -> None:
    async with open_till(name) as till:
        attempt, ready = await till.opened(till.attempt(scene))
        await look(till, ready)
        closed = await till.close(attempt)
        assert isinstance(closed, Paid), closed
        assert closed.status == "closed"
        again = await till.close(attempt)
        assert isinstance(again, Paid), again
        assert again.status == "closed"
        assert (await till.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields)))[0] == 409
        found = await till.query(attempt)
        assert isinstance(found, Paid)
        assert found.status == "closed"

        attempt, _ = await till.paid(scene)
        late = await till.close(attempt)
        assert isinstance(late, Paid), late
        assert late.status == "pending"
        assert (await till.ledger())["captured"] == {"CNY": 8888}


async def look(till: Till, ready: Ready) -> None:
    """The buyer follows the link, without paying."""
    if ready.url and ready.url.startswith("http"):
        async with till.client.get(ready.url) as page:
            assert page.status == 200
            assert "/buyer/pay" in await page.text()


@pytest.mark.parametrize("name", KINDS)
async def test_nobody_pays_twice_or_what_is_not_known(name: str) -> None:
    async with open_till(name) as till:
        attempt, ready = await till.opened(till.attempt())
        await till.pay(ready)
        status, said = await till.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields))
        assert status == 409, said
        assert (await till.buyer(out_trade_no=attempt.out_trade_no))[0] == 409
        assert (await till.buyer(out_trade_no="P1"))[0] == 409


@pytest.mark.parametrize("name", ["wechat", "alipay"])
async def test_nobody_pays_what_has_expired(name: str) -> None:
    async with open_till(name) as till:
        ends = datetime.now(UTC) - timedelta(seconds=1)
        attempt = till.attempt(expire_at=ends, scene="qr")
        ready = await till.start(attempt)
        if isinstance(ready, Ready):
            assert (await till.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields)))[0] == 409
        assert (await till.ledger())["captures"] == []


@pytest.mark.parametrize("name", KINDS)
async def test_what_is_not_signed_with_our_key_is_not_believed(name: str) -> None:
    async with open_till(name) as till:
        attempt, paid = await till.paid()
        ask = till.ask(attempt, paid, 888)
        await till.becomes(impostor.provider(till))
        assert isinstance(await till.query(attempt), Unknown | Refused)
        assert isinstance(await till.refund(ask), Unknown | Refused)
        assert (await till.ledger())["refunded"] == {}
