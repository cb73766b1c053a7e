"""Buyers pay at providers in different courses, accept only expected answers, and record receipts."""

import asyncio
import itertools
import random
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.amqp_client import OutgoingMessage, ReceivedMessage
from scripts.demo import provider_payments
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.bills import Bill
from scripts.demo.provider_payments import COURSES, PROVIDERS, ProviderPayments
from scripts.demo.receipts import Receipts

BILL = Bill("CNY", "u", {"1": 500})
REJECTED = "command.rejected.v1"


class BuyersHarness:
    """Providers and an order system that answer at once: first with each of `answers`, then with an open attempt."""

    def __init__(self, group: asyncio.TaskGroup, file: Path, *answers: str, status: int = 200) -> None:
        self.tasks = BackgroundTasks(group)
        self.requests: list[Any] = []
        self.visits: list[Any] = []
        self.unexpected_answers: list[str] = []
        self.receipts = Receipts(file, {})
        self._answers, self._status = iter(answers), status
        placement: Any = SimpleNamespace(
            tasks=self.tasks, send=self._send, report_unexpected=self.unexpected_answers.append
        )
        self.provider_payments = ProviderPayments(placement, self.receipts, SimpleNamespace(pay=self._visit))  # type: ignore[arg-type]

    async def pay(self, bill: Bill = BILL) -> None:
        self.provider_payments.pay(bill)
        while len(self.tasks):
            await asyncio.sleep(0)

    async def _send(self, message: OutgoingMessage) -> ReceivedMessage:
        body: Any = message.body
        self.requests.append(body)
        code = next(self._answers, "")
        if code:
            return ReceivedMessage(REJECTED, {"code": code}, message.message_id)
        pay_before = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        started = {"provider": body["provider"], "kind": "qr", "url": f"attempt-{len(self.requests)}", "fields": {}}
        return ReceivedMessage("payment.started.v1", started | {"pay_before": pay_before}, message.message_id)

    async def _visit(self, provider: str, payment: Any) -> tuple[int, dict[str, Any]]:
        self.visits.append((provider, payment["url"]))
        return self._status, {"trade_no": f"T-{payment['url']}", "charged": 500}


Course = Callable[[str], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "receipts.csv"


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> Course:
    """Return a function that gives every buyer this course, without waiting times."""
    monkeypatch.setattr(provider_payments, "WRONG_AMOUNT", 0.0)
    monkeypatch.setattr(random, "uniform", lambda least, most: 0.0)
    return lambda name: monkeypatch.setattr(provider_payments, "COURSES", {name: 1})


@pytest.mark.parametrize(
    ("name", "attempts", "visits"),
    [
        ("pays", 1, ["attempt-1"]),
        ("pays two attempts", 2, ["attempt-1", "attempt-2"]),
        ("pays at another provider than at first", 2, ["attempt-2"]),
        ("pays one attempt twice", 1, ["attempt-1", "attempt-1"]),
        ("pays in the last second", 1, ["attempt-1"]),
        ("pays too late", 1, ["attempt-1"]),
        ("never pays", 1, []),
        ("never comes", 0, []),
    ],
)
async def test_every_course_has_its_attempts_and_its_visits_to_providers(
    name: str, attempts: int, visits: list[str], course: Course, file: Path
) -> None:
    assert name in COURSES
    course(name)
    async with asyncio.TaskGroup() as group:
        harness = BuyersHarness(group, file)
        await harness.pay()
    assert len(harness.requests) == attempts
    assert sorted(url for _, url in harness.visits) == visits
    assert {(request["order_id"], request["amount"], request["currency"]) for request in harness.requests} <= {
        ("1", 500, "CNY")
    }
    assert len(harness.receipts.open) == len(set(visits))
    assert not harness.unexpected_answers


async def test_after_an_error_the_buyer_tries_another_provider_of_the_same_currency(course: Course, file: Path) -> None:
    course("pays")
    for _ in range(30):
        async with asyncio.TaskGroup() as group:
            harness = BuyersHarness(group, file, "PAY_PROVIDER_UNKNOWN", "PAY_PROVIDER_ERROR")
            await harness.pay()
        providers = [request["provider"] for request in harness.requests]
        assert all(before != after for before, after in itertools.pairwise(providers))
        assert all(PROVIDERS[request["provider"]][0] == "CNY" for request in harness.requests)
        assert all(request["scene"] in PROVIDERS[request["provider"]][1] for request in harness.requests)
        assert [url for _, url in harness.visits] == ["attempt-3"]


async def test_a_buyer_who_changes_the_provider_starts_at_two_different_ones(course: Course, file: Path) -> None:
    course("pays at another provider than at first")
    for _ in range(20):
        async with asyncio.TaskGroup() as group:
            harness = BuyersHarness(group, file)
            await harness.pay()
        assert harness.requests[0]["provider"] != harness.requests[1]["provider"]


@pytest.mark.parametrize(
    ("codes", "attempts", "unexpected_answers"),
    [
        (["PAY_EXPIRED"], 1, 0),
        (["PAY_ALREADY_PAID"], 1, 0),
        (["ORDER_STATE_INVALID"], 1, 0),
        (["PAY_PROVIDER_UNKNOWN"] * 4, 3, 0),
        (["PAY_METHOD_INVALID"], 1, 1),
        (["PAY_AMOUNT_MISMATCH"], 1, 1),
    ],
)
async def test_an_unexpected_rejection_of_a_payment_is_reported(
    codes: Collection[str], attempts: int, unexpected_answers: int, course: Course, file: Path
) -> None:
    course("pays")
    async with asyncio.TaskGroup() as group:
        harness = BuyersHarness(group, file, *codes)
        await harness.pay()
    assert (len(harness.requests), len(harness.unexpected_answers), harness.visits) == (
        attempts,
        unexpected_answers,
        [],
    )


@pytest.mark.parametrize(
    ("answer", "unexpected_answers"), [("PAY_AMOUNT_MISMATCH", 0), ("", 1), ("PAY_METHOD_INVALID", 1)]
)
async def test_a_wrong_amount_must_be_rejected_as_a_wrong_amount(
    answer: str, unexpected_answers: int, course: Course, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course("never pays")
    monkeypatch.setattr(provider_payments, "WRONG_AMOUNT", 1.0)
    async with asyncio.TaskGroup() as group:
        harness = BuyersHarness(group, file, answer)
        await harness.pay()
    assert [request["amount"] for request in harness.requests] == [501, 500]
    assert len(harness.unexpected_answers) == unexpected_answers


@pytest.mark.parametrize(("status", "unexpected_answers"), [(200, 0), (409, 0), (400, 1), (503, 1)])
async def test_a_provider_may_refuse_a_payment_only_because_it_is_too_late(
    status: int, unexpected_answers: int, course: Course, file: Path
) -> None:
    course("pays")
    async with asyncio.TaskGroup() as group:
        harness = BuyersHarness(group, file, status=status)
        await harness.pay()
    assert (len(harness.receipts.open), len(harness.unexpected_answers)) == (status == 200, unexpected_answers)


async def test_at_paypal_buyers_approve_and_the_capture_is_reported_later(
    course: Course, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course("pays")
    monkeypatch.delitem(PROVIDERS, "stripe")
    async with asyncio.TaskGroup() as group:
        harness = BuyersHarness(group, file)
        await harness.pay(Bill("USD", "u", {"1": 500, "2": 30}, "9"))
    assert [(request["provider"], request["intent_id"], request["amount"]) for request in harness.requests] == [
        ("paypal", "9", 530)
    ]
    assert harness.visits
    assert not harness.receipts.open


def captured(trade_no: str, verdict: str, amount: int = 530) -> ReceivedMessage:
    about = {"provider": "wechat", "trade_no": trade_no, "order_id": "1", "intent_id": "9", "currency": "CNY"}
    return ReceivedMessage("payment.captured.v1", about | {"amount": amount, "verdict": verdict}, "")


@pytest.mark.parametrize("receipt_first", [True, False, None])
@pytest.mark.parametrize(
    ("verdict", "lines"), [("kept", ["wechat,1,T,500", "wechat,2,T,30"]), ("late", ["wechat,1,T,530"])]
)
def test_a_payment_is_recorded_once_with_a_receipt_before_or_after_its_event_or_without(
    verdict: str, lines: list[str], receipt_first: bool | None, file: Path
) -> None:
    bill = Bill("CNY", "u", {"1": 500, "2": 30}, "9")
    receipts = Receipts(file, {"9": bill})
    if receipt_first:
        receipts.note_payment("wechat", "T", bill, 530)
        assert receipts.stuck()
    receipts.receive(captured("T", verdict))
    if receipt_first is False:
        receipts.note_payment("wechat", "T", bill, 530)
    receipts.flush()
    assert file.read_text().split() == lines
    assert not receipts.stuck()


def test_a_refund_is_recorded_once_however_often_it_is_reported(file: Path) -> None:
    receipts = Receipts(file, {})
    refund = {"refund_no": "R1", "order_id": "1", "amount": 30, "currency": "CNY", "provider": "wechat"}
    receipts.receive(ReceivedMessage("refund.requested.v1", refund, ""))
    assert receipts.stuck()
    for _ in range(2):
        receipts.receive(ReceivedMessage("refund.succeeded.v1", refund, ""))
    receipts.flush()
    assert file.read_text().split() == ["wechat,1,R1,-30"]
    assert not receipts.stuck()
