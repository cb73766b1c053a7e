"""Asks the queries of the wire as the person at the terminal, an operator, without the broker."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from db.pool import Transaction
from messages.base import Actor, Query, QueryRejected, Reply
from messages.envelope import Envelope
from scripts.commands.connections import person
from scripts.commands.problems import Code, CommandError

Q = TypeVar("Q", bound=Query)
R = TypeVar("R", bound=Reply)
ANONYMOUS = "oms"


def operator() -> Actor:
    """Return the person at the terminal."""
    return Actor(type="operator", id=person()[:64])


async def answered(
    tx: Transaction,
    body: Q,
    answer: Callable[[Transaction, Sequence[Envelope[Q]]], Awaitable[list[Reply]]],
    wanted: type[R],
    *,
    hint: str,
) -> R:
    """Ask, and return the answer. Raises CommandError if the query is rejected."""
    now = await tx.fetchval("SELECT clock_timestamp()")
    item = Envelope(body, message_id=ANONYMOUS, correlation_id=ANONYMOUS, occurred_at=now)
    [reply] = await answer(tx, [item])
    if isinstance(reply, QueryRejected):
        where = f" ({reply.path.removeprefix('$.')})" if reply.path else ""
        raise CommandError(Code.NOTHING, f"{reply.message}{where}", why=f"the code is {reply.code}", hint=hint)
    assert isinstance(reply, wanted)
    return reply
