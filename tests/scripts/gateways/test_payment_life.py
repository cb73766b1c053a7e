"""A payment from its start to its refund, over HTTP: adapter and gateway verify each other's signatures."""

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
    ("stripe", "page"),
]  # fmt: skip
CLOSING = [("wechat", "qr"), ("alipay", "page"), ("stripe", "page")]
"""Providers at which a payment can be closed, each with a scene in which they know a payment before it is paid."""
QUERIED_AFTERWARDS = frozenset({"stripe"})
"""A repeated close does not say here whether the payment was closed or paid; a query does."""


def test_every_provider_has_a_gateway_and_a_scene_here() -> None:
    assert {name for name, _ in SCENES} == set(GATEWAYS)


async def captured(merchant: Merchant, scene: str, amount: int) -> tuple[Any, PaymentReport]:
    """An attempt that was paid, and the report in its notification."""
    attempt, ready = await merchant.open_attempt(merchant.attempt(scene, amount))
    charged = await merchant.pay(ready)
    report = (await merchant.verified(1))[-1]
    if isinstance(report, ApprovalReport):
        assert (report.out_trade_no, report.reference) == (attempt.out_trade_no, attempt.reference)
        assert isinstance(await merchant.capture(attempt), PaymentReport)
        report = (await merchant.verified(2))[-1]
    assert isinstance(report, PaymentReport), report
    assert (report.out_trade_no, report.status) == (attempt.out_trade_no, "captured")
    assert (report.amount, report.currency) == (amount, merchant.currency)
    assert charged["out_trade_no"] == attempt.out_trade_no
    return attempt, report


@pytest.mark.parametrize(("name", "scene"), SCENES)
async def test_a_payment_is_started_paid_notified_queried_and_refunded_in_parts(name: str, scene: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, paid = await captured(merchant, scene, 8888)
        found = await merchant.query(attempt)
        assert isinstance(found, PaymentReport)
        assert replace(found, occurred_at=paid.occurred_at) == paid

        before = len(merchant.notifications)
        for number, amount in enumerate((888, 8000), start=1):
            refund_order = merchant.refund_order(attempt, paid, amount)
            answer = await merchant.refund(refund_order)
            assert isinstance(answer, RefundReport), answer
            assert (answer.refund_no, answer.amount) == (refund_order.refund_no, amount)
            done = await merchant.query_refund(refund_order)
            assert isinstance(done, RefundReport), done
            assert (done.refund_no, done.status, done.amount) == (refund_order.refund_no, "succeeded", amount)
            report = (await merchant.verified(before + number))[-1]
            assert isinstance(report, RefundReport), report
            assert report.refund_no == refund_order.refund_no
            assert await merchant.query_refund(refund_order) == done
            same_refund_again = await merchant.refund(refund_order)
            assert isinstance(same_refund_again, RefundReport | UnknownOutcome)
        assert isinstance(
            await merchant.refund(merchant.refund_order(attempt, paid, 1)), ProviderRefusal | UnknownOutcome
        )

        ledger = await merchant.ledger()
        assert ledger["captured"] == ledger["refunded"] == {merchant.currency: 8888}
        assert [(refund["amount"], refund["state"]) for refund in ledger["refunds"]] == [
            (888, "succeeded"),
            (8000, "succeeded"),
        ]
        assert [capture["trade_no"] for capture in ledger["captures"]] == [paid.trade_no]


@pytest.mark.parametrize(("name", "scene"), CLOSING)
async def test_a_closed_payment_cannot_be_paid_and_a_paid_one_cannot_be_closed(name: str, scene: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, ready = await merchant.open_attempt(merchant.attempt(scene))
        await open_page(merchant, ready)
        closed = await merchant.close(attempt)
        assert isinstance(closed, PaymentReport), closed
        assert closed.status == "closed"
        again = await merchant.close(attempt)
        assert isinstance(again, PaymentReport), again
        assert again.status == ("pending" if name in QUERIED_AFTERWARDS else "closed")
        assert (await merchant.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields)))[0] == 409
        found = await merchant.query(attempt)
        assert isinstance(found, PaymentReport)
        assert found.status == "closed"

        attempt, _ = await merchant.paid(scene)
        late = await merchant.close(attempt)
        assert isinstance(late, PaymentReport), late
        assert late.status == "pending"
        assert (await merchant.ledger())["captured"] == {"CNY": 8888}


async def open_page(merchant: Merchant, ready: ClientAction) -> None:
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
        status, body = await merchant.buyer(kind=ready.kind, url=ready.url, fields=dict(ready.fields))
        assert status == 409, body
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
async def test_a_gateway_rejects_requests_that_another_key_signed(name: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, paid = await merchant.paid()
        refund_order = merchant.refund_order(attempt, paid, 888)
        await merchant.use_provider(impostor.provider(merchant))
        assert isinstance(await merchant.query(attempt), UnknownOutcome | ProviderRefusal)
        assert isinstance(await merchant.refund(refund_order), UnknownOutcome | ProviderRefusal)
        assert (await merchant.ledger())["refunded"] == {}
