"""A route: which queue a handler serves, and its limits. Routes are data; workers/routes.py lists them all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.pool import Transaction
from messages.base import Message
from messages.envelope import Envelope
from messages.topology import TAKEN
from workers.runtime.batch import Batch

Handler = Callable[[Transaction, Batch[Any]], Awaitable[Sequence[Message] | None]]
Chore = Callable[[Transaction], Awaitable[None]]

PREFETCH_PACKS = 8  # each may hold a batch of items: more would only wait here while another worker has nothing to do


@dataclass(frozen=True)
class Every:
    """A chore in a transaction of its own, repeated while the queue's worker runs; two workers doing it do no harm."""

    seconds: float
    chore: Chore


@dataclass(frozen=True)
class Outside:
    """What is asked of the world outside before the handler's transaction, while none is held.

    `prepare` reads what the questions need, in a transaction of its own; `ask` puts them and returns an answer for each
    item by its id, which the handler finds in `batch.answers`. It may be asked again after a crash: questions carry an
    idempotency key. An UnavailableError (or an OSError) from `ask` pauses this queue alone until the outside is back.
    """

    prepare: Callable[[Transaction, Sequence[Envelope[Any]]], Awaitable[Any]]
    ask: Callable[[Any], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Route:
    """`queue` without the prefix; messages/topology.py says what it takes. `batch_max_items` counts items of packed
    messages; `prefetch_messages` defaults to two batches, or to a few packs where the queue takes packs.

    `raw` marks a queue whose messages are taken as they are, without decoding and inbox: "stock.dlq", "unrouted". Its
    handler gets a Batch of RawDelivery. They are never dead-lettered: what fails waits and goes back to its place.
    `answers` marks a queue of questions: in a read-only transaction its handler makes one reply for each, in order,
    which is published to whoever asked. Nothing is claimed, tried again or buried: who hears nothing asks again.
    `outside` marks a queue that asks other systems.
    `database` names the database the handler's transactions run on.
    """

    queue: str
    handler: Handler
    batch_max_items: int = 200
    prefetch_messages: int | None = None
    every: tuple[Every, ...] = ()
    database: str = "default"
    raw: bool = False
    answers: bool = False
    outside: Outside | None = None

    @property
    def prefetch(self) -> int:
        """Messages the broker may hand out ahead: one batch commits while the next collects."""
        packs = any(model.PACKABLE for model in TAKEN.get(self.queue, ()))
        return self.prefetch_messages or (PREFETCH_PACKS if packs else 2 * self.batch_max_items)
