"""A route that asks other systems: before its transaction, while it holds none, and again when it must."""

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


class Oracle:
    """Answers each request id with itself; counts how often it is asked, and looks at the database meanwhile."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.asked: list[list[str]] = []
        self.transactions_held: list[int] = []
        self.told: list[Any] = []
        self.error: Exception | None = None
        self.refuse_batches = False
        self.unaskable = ""

    async def prepare(self, tx: Transaction, items: Sequence[Envelope[Any]]) -> list[tuple[str, str]]:
        return [(item.id, item.body.request_id) for item in items]

    async def ask(self, questions: list[tuple[str, str]]) -> Mapping[str, Any]:
        self.asked.append([request_id for _, request_id in questions])
        async with self.pool.acquire() as connection:
            mine = await connection.fetchval("SELECT pg_backend_pid()")
            self.transactions_held.append(await connection.fetchval(OPEN, mine))
        if self.error is not None:
            raise self.error
        if self.unaskable in self.asked[-1]:
            raise ValueError("nobody can ask this")
        return dict(questions)

    async def handle(self, tx: Transaction, batch: Batch[Any]) -> None:
        if self.refuse_batches and len(batch) > 1:
            raise ValueError("not together")
        self.told += [batch.answers.get(item.id) for item in batch]

    def context(self) -> QueueContext:
        route = CallRoute("order-changes", self.handle, prepare=self.prepare, ask=self.ask)
        return QueueContext(route, self.pool)


def works(*request_ids: str) -> list[Work]:
    return [command(request_id, request_id=request_id) for request_id in request_ids]


async def test_the_handler_gets_the_answers_and_no_transaction_is_open_during_the_calls(pool: Pool) -> None:
    oracle = Oracle(pool)
    outcomes = await process(oracle.context(), works("a", "b"))
    assert [outcome.kind for outcome in outcomes] == [Kind.ACKED, Kind.ACKED]
    assert (oracle.told, oracle.transactions_held) == (["a", "b"], [0])


async def test_a_halved_batch_calls_nobody_again(pool: Pool) -> None:
    oracle = Oracle(pool)
    oracle.refuse_batches = True
    await process(oracle.context(), works("a", "b", "c"))
    assert sorted(oracle.told) == ["a", "b", "c"]
    assert oracle.asked == [["a", "b", "c"]]


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError()], ids=repr)
async def test_an_unreachable_system_fails_no_message_and_the_queue_waits(pool: Pool, error: Exception) -> None:
    oracle = Oracle(pool)
    oracle.error = error
    with pytest.raises(UnavailableError):
        await process(oracle.context(), works("a"))
    assert oracle.told == []
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_mistake_in_asking_is_the_messages_failure_and_is_tried_again(pool: Pool) -> None:
    oracle = Oracle(pool)
    oracle.error = ValueError("a mistake of ours")
    [outcome] = await process(oracle.context(), works("a"))
    assert outcome.kind is Kind.RETRIED
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_message_whose_call_fails_does_not_affect_its_neighbours(pool: Pool) -> None:
    oracle = Oracle(pool)
    oracle.unaskable = "b"
    kinds = [outcome.kind for outcome in await process(oracle.context(), works("a", "b", "c"))]
    assert kinds == [Kind.ACKED, Kind.RETRIED, Kind.ACKED]
    assert oracle.told == ["a", "c"]


async def test_a_message_that_was_handled_before_may_be_called_for_again_but_is_never_handled_twice(pool: Pool) -> None:
    oracle = Oracle(pool)
    await process(oracle.context(), works("a"))
    [outcome] = await process(oracle.context(), works("a"))
    assert outcome.kind is Kind.DUPLICATE
    assert oracle.told == ["a"]
