"""From the start of a payment to its refund, over HTTP: each side checks what the other one signed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.gateways.startup import GATEWAYS
from tests.scripts.gateways import impostor
from tests.scripts.gateways.merchant import Merchant, open_merchant
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    PaymentReport,
    ProviderRefusal,
    RefundReport,
    UnknownOutcome,
)

SCENES = [
    ("wechat", "qr"), ("wechat", "jsapi"), ("wechat", "h5"), ("wechat", "app"),
    ("alipay", "page"), ("alipay", "wap"), ("alipay", "app"), ("alipay", "qr"),
    ("unionpay", "page"), ("unionpay", "wap"), ("unionpay", "app"), ("paypal", "page"),
]  # fmt: skip
CLOSING = [("wechat", "qr"), ("alipay", "page")]
"""Providers with which a payment can be closed, and a scene in which they know of it before it is paid."""


def test_every_provider_has_a_gateway_and_every_scene_is_lived() -> None:
    assert {name for name, _ in SCENES} == set(GATEWAYS)


async def taken(merchant: Merchant, scene: str, amount: int) -> tuple[Any, PaymentReport]:
    """An attempt whose notification was believed."""
    attempt, ready = await merchant.open_attempt(merchant.attempt(scene, amount))
    charged = await merchant.pay(ready)
    said = (await merchant.verified(1))[-1]
    if isinstance(said, ApprovalReport):
        assert (said.out_trade_no, said.reference) == (attempt.out_trade_no, attempt.reference)
        assert isinstance(await merchant.capture(attempt), PaymentReport)
        said = (await merchant.verified(2))[-1]
    assert isinstance(said, PaymentReport), said
    assert (said.out_trade_no, said.status) == (attempt.out_trade_no, "captured")
    assert (said.amount, said.currency) == (amount, merchant.currency)
    assert charged["out_trade_no"] == attempt.out_trade_no
    return attempt, said


@pytest.mark.parametrize(("name", "scene"), SCENES)
async def test_a_payment_is_started_paid_notified_queried_and_refunded_in_parts(name: str, scene: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, paid = await taken(merchant, scene, 8888)
        found = await merchant.query(attempt)
        assert isinstance(found, PaymentReport)
        assert replace(found, occurred_at=paid.occurred_at) == paid

        before = len(merchant.notifications)
        for number, amount in enumerate((888, 8000), start=1):
            ask = merchant.refund_ask(attempt, paid, amount)
            answer = await merchant.refund(ask)
            assert isinstance(answer, RefundReport), answer
            assert (answer.refund_no, answer.amount) == (ask.refund_no, amount)
            done = await merchant.query_refund(ask)
            assert isinstance(done, RefundReport), done
            assert (done.refund_no, done.status, done.amount) == (ask.refund_no, "succeeded", amount)
            said = (await merchant.verified(before + number))[-1]
            assert isinstance(said, RefundReport), said
            assert said.refund_no == ask.refund_no
            assert await merchant.query_refund(ask) == done
            assert isinstance(await merchant.refund(ask), RefundReport | UnknownOutcome)  # the same refund once more
        assert isinstance(
            await merchant.refund(merchant.refund_ask(attempt, paid, 1)), ProviderRefusal | UnknownOutcome
        )

        books = await merchant.ledger()
        assert books["captured"] == books["refunded"] == {merchant.currency: 8888}
        assert [(refund["amount"], refund["state"]) for refund in books["refunds"]] == [
            (888, "succeeded"),
            (8000, "succeeded"),
        ]
        assert [capture["trade_no"] for capture in books["captures"]] == [paid.trade_no]


@pytest.mark.parametrize(("name", "scene"), CLOSING)
async def test_what_was_closed_cannot_be_paid_and_what_was_paid_cannot_be_closed(name: str, scene: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, ready = await merchant.open_attempt(merchant.attempt(scene))
        await look(merchant, ready)
        closed = await merchant.close(attempt)
        assert isinstance(closed, PaymentReport), closed
        assert closed.status == "closed"
        again = await merchant.close(attempt)
        assert isinstance(again, PaymentReport), again
        assert again.status == "closed"
        assert (await merchant.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields)))[0] == 409
        found = await merchant.query(attempt)
        assert isinstance(found, PaymentReport)
        assert found.status == "closed"

        attempt, _ = await merchant.paid(scene)
        late = await merchant.close(attempt)
        assert isinstance(late, PaymentReport), late
        assert late.status == "pending"
        assert (await merchant.ledger())["captured"] == {"CNY": 8888}


async def look(merchant: Merchant, ready: ClientAction) -> None:
    """The buyer follows the link, without paying."""
    if ready.url and ready.url.startswith("http"):
        async with merchant.client.get(ready.url) as page:
            assert page.status == 200
            assert "/buyer/pay" in await page.text()


@pytest.mark.parametrize("name", GATEWAYS)
async def test_no_attempt_is_paid_twice_and_no_unknown_one_is_paid(name: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, ready = await merchant.open_attempt(merchant.attempt())
        await merchant.pay(ready)
        status, said = await merchant.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields))
        assert status == 409, said
        assert (await merchant.buyer(out_trade_no=attempt.out_trade_no))[0] == 409
        assert (await merchant.buyer(out_trade_no="P1"))[0] == 409


@pytest.mark.parametrize("name", ["wechat", "alipay"])
async def test_an_expired_attempt_cannot_be_paid(name: str) -> None:
    async with open_merchant(name) as merchant:
        ends = datetime.now(UTC) - timedelta(seconds=1)
        attempt = merchant.attempt(expire_at=ends, scene="qr")
        ready = await merchant.start(attempt)
        if isinstance(ready, ClientAction):
            assert (await merchant.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields)))[0] == 409
        assert (await merchant.ledger())["captures"] == []


@pytest.mark.parametrize("name", GATEWAYS)
async def test_what_is_not_signed_with_our_key_is_not_believed(name: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, paid = await merchant.paid()
        ask = merchant.refund_ask(attempt, paid, 888)
        await merchant.use_provider(impostor.provider(merchant))
        assert isinstance(await merchant.query(attempt), UnknownOutcome | ProviderRefusal)
        assert isinstance(await merchant.refund(ask), UnknownOutcome | ProviderRefusal)
        assert (await merchant.ledger())["refunded"] == {}
