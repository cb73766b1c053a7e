"""The demo's gateway: whom it pays for what, and what it writes into its books."""

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.demo import gateway as gateways
from scripts.demo.crowd import Crowd
from scripts.demo.gateway import Gateway
from scripts.demo.wire import Heard, Letter


class Counter:
    """A gateway at which everybody pays once and at once; `paid` is what it told the order system."""

    def __init__(self, group: asyncio.TaskGroup, journal: Path) -> None:
        self.paid: list[Any] = []
        self._journal = journal
        link: Any = SimpleNamespace(send=self._send)
        self.crowd = Crowd(group)
        self.gateway = Gateway(link, self.crowd, journal, 15.0)

    async def _send(self, letter: Letter) -> None:
        self.paid.append(letter.body)

    async def hear(self, type_: str, **body: Any) -> None:
        self.gateway.hear(Heard(type_, body, "c"))
        while len(self.crowd):
            await asyncio.sleep(0)

    async def created(self, order_id: str, payable: int, parent_id: str | None = None) -> None:
        amounts = {"currency": "USD", "payable": payable}
        request = f"request-{order_id}"
        await self.hear("order.created.v1", order_id=order_id, parent_id=parent_id, request_id=request, amounts=amounts)

    async def merged(self, order_id: str, payable: int) -> None:
        amounts = {"currency": "USD", "payable": payable}
        await self.hear("order.merged.v1", order_id=order_id, order_ids=["1", "2"], intent_id="9", amounts=amounts)

    async def judged(self, verdict: str) -> None:
        for result in self.paid:
            await self.hear("payment.captured.v1", trade_no=result["trade_no"], verdict=verdict)

    @property
    def sums(self) -> list[tuple[str, int, str | None]]:
        return [(result["order_id"], result["amount"], result["intent_id"]) for result in self.paid]

    @property
    def books(self) -> list[tuple[str, int]]:
        self.gateway.flush()
        lines = [line.split(",") for line in self._journal.read_text().splitlines()]
        return [(order_id, int(amount)) for order_id, _, amount in lines]


@pytest.fixture(autouse=True)
def pays_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "HABITS", {"pays once": 1})
    monkeypatch.setattr(gateways, "ONE_ALONE", 0.0)
    monkeypatch.setattr(random, "uniform", lambda least, most: 0.0)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "gateway.csv"


async def test_an_order_is_paid_once_and_a_part_of_a_split_order_with_its_parent(journal: Path) -> None:
    async with asyncio.TaskGroup() as group:
        counter = Counter(group, journal)
        await counter.created("1", 500)
        await counter.created("11", 300, parent_id="1")
        await counter.created("12", 200, parent_id="1")
        assert counter.sums == [("1", 500, None)]
        assert counter.gateway.stuck()
        await counter.judged("kept")
    assert counter.books == [("1", 500)]
    assert not counter.gateway.stuck()


async def test_orders_on_hold_are_paid_when_they_are_released_before_or_after_they_are_heard_of(journal: Path) -> None:
    async with asyncio.TaskGroup() as group:
        counter = Counter(group, journal)
        counter.gateway.hold("request-1")
        counter.gateway.hold("request-2")
        await counter.created("1", 500)
        assert not counter.paid
        counter.gateway.release("request-1")
        counter.gateway.release("request-2")
        await counter.created("2", 70)
        assert counter.sums == [("1", 500, None), ("2", 70, None)]


@pytest.mark.parametrize(
    ("verdict", "books"), [("kept", [("1", 500), ("2", 70)]), ("late", [("1", 570)]), ("duplicate", [("1", 570)])]
)
async def test_merged_orders_are_paid_at_once_and_booked_each_when_the_payment_is_kept(
    verdict: str, books: list[tuple[str, int]], journal: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        counter = Counter(group, journal)
        await counter.merged("1", 500)
        assert not counter.paid
        await counter.merged("2", 70)
        assert counter.sums == [("1", 570, "9")]
        await counter.judged(verdict)
    assert counter.books == books


async def test_a_wrong_amount_that_is_kept_shows_in_the_books(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "HABITS", {"pays the wrong amount": 1})
    monkeypatch.setattr(random, "choice", lambda choices: 1000)
    async with asyncio.TaskGroup() as group:
        counter = Counter(group, journal)
        await counter.created("1", 500)
        await counter.judged("kept")
    assert counter.books == [("1", 1500)]


async def test_a_refund_goes_back_once_and_into_the_books_of_the_order_it_is_for(journal: Path) -> None:
    async with asyncio.TaskGroup() as group:
        counter = Counter(group, journal)
        refund = {"refund_no": "R1", "order_id": "11", "amount": 300, "currency": "USD"}
        await counter.hear("refund.requested.v1", **refund)
        assert counter.gateway.stuck()
        await counter.hear("refund.succeeded.v1", refund_no="R1")
        assert {(result["refund_no"], result["amount"]) for result in counter.paid} == {("R1", 300)}
    assert counter.books == [("11", -300)]
    assert not counter.gateway.stuck()
