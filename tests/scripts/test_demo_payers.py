"""The demo's buyers at providers: their habits, what they take for granted, and what they know afterwards."""

import asyncio
import itertools
import random
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.demo import payers
from scripts.demo.bills import Bill
from scripts.demo.crowd import Crowd
from scripts.demo.payers import HABITS, PROVIDERS, Payers
from scripts.demo.receipts import Receipts
from scripts.demo.wire import Heard, Letter

BILL = Bill("CNY", "u", {"1": 500})
REFUSED = "command.rejected.v1"


class Street:
    """Providers and an order system that answer at once: `answers` in turn, then that the attempt is open."""

    def __init__(self, group: asyncio.TaskGroup, file: Path, *answers: str, status: int = 200) -> None:
        self.crowd = Crowd(group)
        self.asked: list[Any] = []
        self.visits: list[Any] = []
        self.surprises: list[str] = []
        self.receipts = Receipts(file, {})
        self._answers, self._status = iter(answers), status
        till: Any = SimpleNamespace(crowd=self.crowd, say=self._say, surprise=self.surprises.append)
        self.payers = Payers(till, self.receipts, SimpleNamespace(pay=self._visit))  # type: ignore[arg-type]

    async def pay(self, bill: Bill = BILL) -> None:
        self.payers.pay(bill)
        while len(self.crowd):
            await asyncio.sleep(0)

    async def _say(self, letter: Letter) -> Heard:
        body: Any = letter.body
        self.asked.append(body)
        code = next(self._answers, "")
        if code:
            return Heard(REFUSED, {"code": code}, letter.message_id)
        pay_before = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        started = {"provider": body["provider"], "kind": "qr", "url": f"attempt-{len(self.asked)}", "fields": {}}
        return Heard("payment.started.v1", started | {"pay_before": pay_before}, letter.message_id)

    async def _visit(self, provider: str, brought: Any) -> tuple[int, dict[str, Any]]:
        self.visits.append((provider, brought["url"]))
        return self._status, {"trade_no": f"T-{brought['url']}", "charged": 500}


Habit = Callable[[str], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "receipts.csv"


@pytest.fixture
def habit(monkeypatch: pytest.MonkeyPatch) -> Habit:
    """Everybody has this one, and comes at once."""
    monkeypatch.setattr(payers, "WRONG_AMOUNT", 0.0)
    monkeypatch.setattr(random, "uniform", lambda least, most: 0.0)
    return lambda name: monkeypatch.setattr(payers, "HABITS", {name: 1})


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
async def test_every_habit_has_its_attempts_and_its_visits_to_providers(
    name: str, attempts: int, visits: list[str], habit: Habit, file: Path
) -> None:
    assert name in HABITS
    habit(name)
    async with asyncio.TaskGroup() as group:
        street = Street(group, file)
        await street.pay()
    assert len(street.asked) == attempts
    assert sorted(url for _, url in street.visits) == visits
    assert {(asked["order_id"], asked["amount"], asked["currency"]) for asked in street.asked} <= {("1", 500, "CNY")}
    assert len(street.receipts.open) == len(set(visits))
    assert not street.surprises


async def test_the_second_provider_is_another_one_and_collects_the_currency(habit: Habit, file: Path) -> None:
    habit("pays")
    for _ in range(30):
        async with asyncio.TaskGroup() as group:
            street = Street(group, file, "PAY_PROVIDER_UNKNOWN", "PAY_PROVIDER_ERROR")
            await street.pay()
        methods = [asked["provider"] for asked in street.asked]
        assert all(before != after for before, after in itertools.pairwise(methods))
        assert all(PROVIDERS[asked["provider"]][0] == "CNY" for asked in street.asked)
        assert all(asked["scene"] in PROVIDERS[asked["provider"]][1] for asked in street.asked)
        assert [url for _, url in street.visits] == ["attempt-3"]


async def test_who_goes_to_another_provider_goes_to_another_provider(habit: Habit, file: Path) -> None:
    habit("pays at another provider than at first")
    for _ in range(20):
        async with asyncio.TaskGroup() as group:
            street = Street(group, file)
            await street.pay()
        assert street.asked[0]["provider"] != street.asked[1]["provider"]


@pytest.mark.parametrize(
    ("codes", "asked", "surprises"),
    [
        (["PAY_EXPIRED"], 1, 0),
        (["PAY_ALREADY_PAID"], 1, 0),
        (["ORDER_STATE_INVALID"], 1, 0),
        (["PAY_PROVIDER_UNKNOWN"] * 4, 3, 0),
        (["PAY_METHOD_INVALID"], 1, 1),
        (["PAY_AMOUNT_MISMATCH"], 1, 1),
    ],
)
async def test_a_payment_that_is_refused_without_a_reason_is_a_surprise(
    codes: Collection[str], asked: int, surprises: int, habit: Habit, file: Path
) -> None:
    habit("pays")
    async with asyncio.TaskGroup() as group:
        street = Street(group, file, *codes)
        await street.pay()
    assert (len(street.asked), len(street.surprises), street.visits) == (asked, surprises, [])


@pytest.mark.parametrize(("answer", "surprises"), [("PAY_AMOUNT_MISMATCH", 0), ("", 1), ("PAY_METHOD_INVALID", 1)])
async def test_another_amount_than_is_due_must_be_refused_as_that(
    answer: str, surprises: int, habit: Habit, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    habit("never pays")
    monkeypatch.setattr(payers, "WRONG_AMOUNT", 1.0)
    async with asyncio.TaskGroup() as group:
        street = Street(group, file, answer)
        await street.pay()
    assert [asked["amount"] for asked in street.asked] == [501, 500]
    assert len(street.surprises) == surprises


@pytest.mark.parametrize(("status", "surprises"), [(200, 0), (409, 0), (400, 1), (503, 1)])
async def test_a_provider_may_say_that_it_is_too_late_and_nothing_else(
    status: int, surprises: int, habit: Habit, file: Path
) -> None:
    habit("pays")
    async with asyncio.TaskGroup() as group:
        street = Street(group, file, status=status)
        await street.pay()
    assert (len(street.receipts.open), len(street.surprises)) == (status == 200, surprises)


async def test_at_paypal_buyers_approve_and_what_is_taken_is_heard_of_later(habit: Habit, file: Path) -> None:
    habit("pays")
    async with asyncio.TaskGroup() as group:
        street = Street(group, file)
        await street.pay(Bill("USD", "u", {"1": 500, "2": 30}, "9"))
    assert [(asked["provider"], asked["intent_id"], asked["amount"]) for asked in street.asked] == [
        ("paypal", "9", 530)
    ]
    assert street.visits
    assert not street.receipts.open


def captured(trade_no: str, verdict: str, amount: int = 530) -> Heard:
    about = {"provider": "wechat", "trade_no": trade_no, "order_id": "1", "intent_id": "9", "currency": "CNY"}
    return Heard("payment.captured.v1", about | {"amount": amount, "verdict": verdict}, "")


@pytest.mark.parametrize("receipt_first", [True, False, None])
@pytest.mark.parametrize(
    ("verdict", "lines"), [("kept", ["wechat,1,T,500", "wechat,2,T,30"]), ("late", ["wechat,1,T,530"])]
)
def test_a_payment_is_written_down_once_whether_its_receipt_comes_first_or_last_or_never(
    verdict: str, lines: list[str], receipt_first: bool | None, file: Path
) -> None:
    bill = Bill("CNY", "u", {"1": 500, "2": 30}, "9")
    receipts = Receipts(file, {"9": bill})
    if receipt_first:
        receipts.paid("wechat", "T", bill, 530)
        assert receipts.stuck()
    receipts.hear(captured("T", verdict))
    if receipt_first is False:
        receipts.paid("wechat", "T", bill, 530)
    receipts.flush()
    assert file.read_text().split() == lines
    assert not receipts.stuck()


def test_money_that_goes_back_is_written_down_once_however_often_it_is_heard_of(file: Path) -> None:
    receipts = Receipts(file, {})
    refund = {"refund_no": "R1", "order_id": "1", "amount": 30, "currency": "CNY", "provider": "wechat"}
    receipts.hear(Heard("refund.requested.v1", refund, ""))
    assert receipts.stuck()
    for _ in range(2):
        receipts.hear(Heard("refund.succeeded.v1", refund, ""))
    receipts.flush()
    assert file.read_text().split() == ["wechat,1,R1,-30"]
    assert not receipts.stuck()
