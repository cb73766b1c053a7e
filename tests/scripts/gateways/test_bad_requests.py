"""A gateway rejects malformed requests, altered links and more than it can hold, and keeps running."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.gateways import ledger as ledgers
from scripts.gateways import notifier as notifiers
from scripts.gateways.ledger import Ledger, Payment
from scripts.gateways.notifier import Copy, Notifier
from scripts.gateways.startup import GATEWAYS
from tests.scripts.gateways.merchant import Merchant, open_merchant
from workers.providers.port import ClientAction, UnknownOutcome

REJECTED = re.compile(b"isv.invalid|respCode=(10|13|31)")
PATHS = {
    "wechat": ["/v3/pay/transactions/native", "/v3/refund/domestic/refunds",
               "/v3/pay/transactions/out-trade-no/P1/close"],
    "alipay": ["/gateway.do", "/gateway.do?method=alipay.trade.query&sign=x"],
    "unionpay": [f"/gateway/api/{name}.do" for name in ("frontTransReq", "appTransReq", "queryTrans", "backTransReq")],
    "paypal": ["/v1/oauth2/token", "/v2/checkout/orders", "/v2/checkout/orders/X/capture",
               "/v2/payments/captures/X/refund"],
    "stripe": ["/v1/checkout/sessions", "/v1/checkout/sessions/X/expire", "/v1/payment_intents/X/capture",
               "/v1/refunds"],
}  # fmt: skip
MALFORMED = [b"", b"\xff\xfe", b"[]", b"{}", b"a=1", b"a=1&a=1", b"a" * 65_537, b'{"amount":' * 9000]

BUYER_INPUTS: list[Any] = [
    {}, {"url": "x"}, {"url": "http://["}, {"fields": {"tn": "1"}}, {"fields": {"sign": "?"}}, {"fields": 1}, [], 1,
]  # fmt: skip


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_malformed_request_is_rejected_and_changes_no_ledger(name: str) -> None:
    async with open_merchant(name) as merchant:
        for path in PATHS[name]:
            for sent in MALFORMED:
                async with merchant.client.post(f"{merchant.gateway.origin}{path}", data=sent) as answer:
                    assert answer.status < 500, (path, sent[:20])
                    received = await answer.read()
                    assert answer.status >= 400 or REJECTED.search(received), (path, sent[:20])
        for buyer_input in BUYER_INPUTS:
            async with merchant.client.post(f"{merchant.gateway.origin}/buyer/pay", json=buyer_input) as answer:
                assert answer.status in (400, 409), buyer_input
        ledger = await merchant.ledger()
        assert (ledger["captures"], ledger["refunds"], ledger["unpaid"]) == ([], [], 0)
        await merchant.paid()


def cheaper_link(ready: ClientAction) -> dict[str, Any]:
    assert ready.url is not None
    assert "88.88" in ready.url
    return {"url": ready.url.replace("88.88", "0.01")}


def cheaper_form(ready: ClientAction) -> dict[str, Any]:
    return {"url": ready.url, "fields": {**ready.fields, "txnAmt": "1"}}


def other_cashier(ready: ClientAction) -> dict[str, Any]:
    return {"fields": {**ready.fields, "package": "prepay_id=wx1"}}


ALTERED: list[tuple[str, str, Callable[[ClientAction], dict[str, Any]]]] = [
    ("alipay", "page", cheaper_link),
    ("unionpay", "page", cheaper_form),
    ("wechat", "jsapi", other_cashier),
]


@pytest.mark.parametrize(("name", "scene", "change"), ALTERED)
async def test_a_payment_that_the_buyer_altered_is_rejected(
    name: str, scene: str, change: Callable[[ClientAction], dict[str, Any]]
) -> None:
    async with open_merchant(name) as merchant:
        _, ready = await merchant.open_attempt(merchant.attempt(scene))
        status, body = await merchant.buyer(**change(ready))
        assert status == 409
        assert "open" in body["error"]
        assert (await merchant.ledger())["captures"] == []


@pytest.mark.parametrize("name", GATEWAYS)
async def test_the_button_of_a_payment_page_pays(name: str) -> None:
    async with open_merchant(name) as merchant:
        attempt, ready = await merchant.open_attempt(merchant.attempt("qr" if name == "wechat" else "page"))
        await visit(merchant, ready)
        button = {"out_trade_no": attempt.out_trade_no}
        async with merchant.client.post(f"{merchant.gateway.origin}/buyer/pay", data=button) as answer:
            assert answer.status == 200


async def visit(merchant: Merchant, ready: ClientAction) -> None:
    if ready.kind == "form":
        async with merchant.client.post(ready.url or "", data=dict(ready.fields)) as page:
            assert "/buyer/pay" in await page.text()
    elif ready.kind == "redirect":
        async with merchant.client.get(ready.url or "") as page:
            assert "/buyer/pay" in await page.text()


async def test_a_gateway_with_a_full_ledger_opens_no_more_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "PAYMENTS_MAX", 1)
    async with open_merchant("wechat") as merchant:
        await merchant.paid("qr")
        assert isinstance(await merchant.start(merchant.attempt("qr")), UnknownOutcome)
        assert len((await merchant.ledger())["captures"]) == 1


async def test_notifications_above_the_limit_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifiers, "WAITING_MAX", 3)
    notifier = Notifier(lambda status, body: True, [1])
    for _ in range(5):
        notifier.send("http://127.0.0.1:1/", lambda at: Copy({}, b""))
    assert (notifier.waiting, notifier.did["dropped"]) == (3, 2)


async def test_a_gateway_can_be_closed_while_it_notifies_and_answers() -> None:
    async with open_merchant("wechat", timeout_seconds=1, slow_seconds=60, time_factor=1.0) as merchant:
        attempt, _ = await merchant.paid("qr")
        merchant.answers = [(500, None)] * 3
        merchant.set_habits(slow=1.0, slow_seconds=60)
        assert isinstance(await merchant.query(attempt), UnknownOutcome)
        async with asyncio.timeout(10):
            await merchant.gateway.close()
    assert [task for task in asyncio.all_tasks() if "Notifier" in repr(task)] == []


def test_the_numbers_of_a_provider_are_unique_and_have_the_given_length() -> None:
    ledger, now = Ledger("x"), datetime.now(UTC)
    numbers = [ledger.new_number(now, length) for length in (21, 28) for _ in range(1000)]
    assert len(set(numbers)) == 2000
    assert {len(number) for number in numbers} == {21, 28}


def test_the_ledger_can_be_written_as_json() -> None:
    ledger, now = Ledger("x"), datetime.now(UTC)
    payment = ledger.open(Payment("P1", "T1", 5, "CNY", "", {}, now))
    payment.pay(5, now)
    assert json.loads(json.dumps(ledger.as_json(now)))["captured"] == {"CNY": 5}
