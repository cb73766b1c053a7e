"""A CallRoute calls another system before its transaction, and again after a crash."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from db.errors import UnavailableError
from db.pool import Pool, Transaction
from messages.envelope import Envelope
from tests.runtime.builders import command
from workers.runtime.batch import Batch
from workers.runtime.decode import Work
from workers.runtime.policy import Kind
from workers.runtime.process import QueueContext, process
from workers.runtime.route import CallRoute

OPEN = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> $1"
)


class OtherSystem:
    """Answers each request id with itself, and records its calls and the transactions that are open during them."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.calls: list[list[str]] = []
        self.transactions_held: list[int] = []
        self.answers: list[Any] = []
        self.error: Exception | None = None
        self.refuse_batches = False
        self.invalid = ""

    async def prepare(self, tx: Transaction, items: Sequence[Envelope[Any]]) -> list[tuple[str, str]]:
        return [(item.id, item.body.request_id) for item in items]

    async def call(self, needed: list[tuple[str, str]]) -> Mapping[str, Any]:
        self.calls.append([request_id for _, request_id in needed])
        async with self.pool.acquire() as connection:
            mine = await connection.fetchval("SELECT pg_backend_pid()")
            self.transactions_held.append(await connection.fetchval(OPEN, mine))
        if self.error is not None:
            raise self.error
        if self.invalid in self.calls[-1]:
            raise ValueError("a call for this cannot be made")
        return dict(needed)

    async def handle(self, tx: Transaction, batch: Batch[Any]) -> None:
        if self.refuse_batches and len(batch) > 1:
            raise ValueError("not together")
        self.answers += [batch.answers.get(item.id) for item in batch]

    def context(self) -> QueueContext:
        route = CallRoute("order-changes", self.handle, prepare=self.prepare, call=self.call)
        return QueueContext(route, self.pool)


def works(*request_ids: str) -> list[Work]:
    return [command(request_id, request_id=request_id) for request_id in request_ids]


async def test_the_handler_gets_the_answers_and_no_transaction_is_open_during_the_calls(pool: Pool) -> None:
    system = OtherSystem(pool)
    outcomes = await process(system.context(), works("a", "b"))
    assert [outcome.kind for outcome in outcomes] == [Kind.ACKED, Kind.ACKED]
    assert (system.answers, system.transactions_held) == (["a", "b"], [0])


async def test_a_halved_batch_repeats_no_call(pool: Pool) -> None:
    system = OtherSystem(pool)
    system.refuse_batches = True
    await process(system.context(), works("a", "b", "c"))
    assert sorted(system.answers) == ["a", "b", "c"]
    assert system.calls == [["a", "b", "c"]]


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError()], ids=repr)
async def test_an_unreachable_system_fails_no_message_and_the_queue_waits(pool: Pool, error: Exception) -> None:
    system = OtherSystem(pool)
    system.error = error
    with pytest.raises(UnavailableError):
        await process(system.context(), works("a"))
    assert system.answers == []
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_message_whose_call_raises_is_retried(pool: Pool) -> None:
    system = OtherSystem(pool)
    system.error = ValueError("a mistake of ours")
    [outcome] = await process(system.context(), works("a"))
    assert outcome.kind is Kind.RETRIED
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_message_whose_call_fails_does_not_affect_its_neighbours(pool: Pool) -> None:
    system = OtherSystem(pool)
    system.invalid = "b"
    kinds = [outcome.kind for outcome in await process(system.context(), works("a", "b", "c"))]
    assert kinds == [Kind.ACKED, Kind.RETRIED, Kind.ACKED]
    assert system.answers == ["a", "c"]


async def test_a_repeated_message_may_repeat_its_call_but_is_not_handled_again(pool: Pool) -> None:
    system = OtherSystem(pool)
    await process(system.context(), works("a"))
    [outcome] = await process(system.context(), works("a"))
    assert outcome.kind is Kind.DUPLICATE
    assert system.answers == ["a"]
