"""The bills of the demo's buyers, and how the shop's own payment service collects them."""

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.amqp_client import OutgoingMessage, ReceivedMessage
from scripts.demo import bills, payment_service, payments
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.payments import Payments


class ShopHarness:
    """A shop with a payment service of its own; `paid` has the messages that the service sent."""

    def __init__(self, group: asyncio.TaskGroup, file: Path) -> None:
        self.paid: list[Any] = []
        self._file = file
        link: Any = SimpleNamespace(send=self._send)
        self.tasks = BackgroundTasks(group)
        placement: Any = SimpleNamespace(tasks=self.tasks)
        self.payments = Payments(link, placement, None, file, 15.0)  # type: ignore[arg-type]

    async def _send(self, message: OutgoingMessage) -> None:
        self.paid.append(message.body)

    async def receive(self, type_: str, **body: Any) -> None:
        self.payments.receive(ReceivedMessage(type_, body, "c"))
        while len(self.tasks):
            await asyncio.sleep(0)

    async def created(self, order_id: str, payable: int, parent_id: str | None = None) -> None:
        amounts = {"currency": "USD", "payable": payable}
        request = f"request-{order_id}"
        about = {"order_id": order_id, "parent_id": parent_id, "request_id": request, "user_id": "u"}
        await self.receive("order.created.v1", **about, amounts=amounts)

    async def merged(self, order_id: str, payable: int) -> None:
        amounts = {"currency": "USD", "payable": payable}
        about = {"order_id": order_id, "order_ids": ["1", "2"], "intent_id": "9", "user_id": "u"}
        await self.receive("order.merged.v1", **about, amounts=amounts)

    async def judged(self, verdict: str) -> None:
        for result in self.paid:
            about = {name: result[name] for name in ("provider", "trade_no", "order_id", "intent_id", "currency")}
            await self.receive("payment.captured.v1", **about, amount=result["amount"], verdict=verdict)

    @property
    def sums(self) -> list[tuple[str, int, str | None]]:
        return [(result["order_id"], result["amount"], result["intent_id"]) for result in self.paid]

    @property
    def receipt_lines(self) -> list[tuple[str, int]]:
        self.payments.receipts.flush()
        lines = [line.split(",") for line in self._file.read_text().splitlines()]
        assert {provider for provider, *_ in lines} == {"demo-pay"}
        return [(order_id, int(amount)) for _, order_id, _, amount in lines]


@pytest.fixture(autouse=True)
def pays_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment_service, "COURSES", {"pays once": 1})
    monkeypatch.setattr(bills, "ONE_ALONE", 0.0)
    monkeypatch.setattr(payments, "OWN_SERVICE", {"orders": 1.0, "merged orders": 1.0})
    monkeypatch.setattr(random, "uniform", lambda least, most: 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "receipts.csv"


async def test_an_order_is_paid_once_and_a_part_of_a_split_order_with_its_parent(file: Path) -> None:
    async with asyncio.TaskGroup() as group:
        shop = ShopHarness(group, file)
        await shop.created("1", 500)
        await shop.created("11", 300, parent_id="1")
        await shop.created("12", 200, parent_id="1")
        assert shop.sums == [("1", 500, None)]
        assert shop.payments.receipts.stuck()
        await shop.judged("kept")
    assert shop.receipt_lines == [("1", 500)]
    assert not shop.payments.receipts.stuck()


async def test_orders_on_hold_are_paid_when_they_are_released_before_or_after_their_event_arrives(file: Path) -> None:
    async with asyncio.TaskGroup() as group:
        shop = ShopHarness(group, file)
        shop.payments.bills.hold("request-1")
        shop.payments.bills.hold("request-2")
        await shop.created("1", 500)
        assert not shop.paid
        shop.payments.bills.release("request-1")
        shop.payments.bills.release("request-2")
        await shop.created("2", 70)
        assert shop.sums == [("1", 500, None), ("2", 70, None)]


@pytest.mark.parametrize(
    ("verdict", "receipt_lines"),
    [("kept", [("1", 500), ("2", 70)]), ("late", [("1", 570)]), ("duplicate", [("1", 570)])],
)
async def test_merged_orders_are_paid_together_and_recorded_separately_if_the_payment_is_kept(
    verdict: str, receipt_lines: list[tuple[str, int]], file: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        shop = ShopHarness(group, file)
        await shop.merged("1", 500)
        assert not shop.paid
        await shop.merged("2", 70)
        assert shop.sums == [("1", 570, "9")]
        await shop.judged(verdict)
    assert shop.receipt_lines == receipt_lines


async def test_a_wrong_amount_that_is_kept_is_in_the_receipts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment_service, "COURSES", {"pays the wrong amount": 1})
    monkeypatch.setattr(random, "choice", lambda choices: 1000)
    async with asyncio.TaskGroup() as group:
        shop = ShopHarness(group, file)
        await shop.created("1", 500)
        await shop.judged("kept")
    assert shop.receipt_lines == [("1", 1500)]


async def test_a_refund_is_paid_once_and_recorded_for_its_order(file: Path) -> None:
    async with asyncio.TaskGroup() as group:
        shop = ShopHarness(group, file)
        refund = {"refund_no": "R1", "order_id": "11", "amount": 300, "currency": "USD", "provider": "demo-pay"}
        refund["cause"] = "operator:r1"
        await shop.receive("refund.requested.v1", **refund)
        assert shop.payments.receipts.stuck()
        await shop.receive("refund.succeeded.v1", **refund)
        assert {(result["refund_no"], result["amount"]) for result in shop.paid} == {("R1", 300)}
    assert shop.receipt_lines == [("11", -300)]
    assert not shop.payments.receipts.stuck()
