"""A route names the queue that a handler serves, and its limits. Routes are data; workers/routes.py lists them all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.pool import Transaction
from messages.base import Message
from messages.envelope import Envelope
from messages.topology import messages_of
from workers.runtime.batch import Batch

Handler = Callable[[Transaction, Batch[Any]], Awaitable[Sequence[Message] | None]]
Chore = Callable[[Transaction], Awaitable[None]]

PREFETCH_PACKS = 8  # each may hold a whole batch of items; more would wait here while other workers are idle


@dataclass(frozen=True)
class Every:
    """A chore that the queue's worker repeats, each time in its own transaction. Two workers may run it at once."""

    seconds: float
    chore: Chore


@dataclass(frozen=True)
class Route:
    """A queue and its handler. `queue` has no prefix; messages/topology.py lists the types that it takes.

    `batch_max_items` counts items of packed messages. `prefetch_messages` defaults to two batches, or to PREFETCH_PACKS
    if the queue takes packs.

    `by_broker`: what the handler takes and announces goes by the broker, because it does not lock in the order that
    holds for a chain of handlers in one transaction.

    `database` names the database the handler's transactions run on. The routes below differ in what happens around the
    handler; on a plain route the inbox claims messages, and what the handler announces leaves by the outbox.
    """

    queue: str
    handler: Handler
    batch_max_items: int = 200
    prefetch_messages: int | None = None
    every: tuple[Every, ...] = ()
    by_broker: bool = False
    database: str = "default"

    @property
    def prefetch(self) -> int:
        """How many messages the broker delivers ahead, so that one batch collects while another commits."""
        packs = any(model.PACKABLE for model in messages_of(self.queue))
        return self.prefetch_messages or (PREFETCH_PACKS if packs else 2 * self.batch_max_items)


class RawRoute(Route):
    """A queue whose messages are taken as they are, without decoding and inbox: "stock.dlq", "unrouted".

    Its handler gets a Batch of RawDelivery. They are never dead-lettered: when the handler fails, they
    go back to their queue after a pause.
    """


@dataclass(frozen=True, kw_only=True)
class QueryRoute(Route):
    """A queue of queries. In a read-only transaction the handler makes one reply for each, in order.

    The runtime publishes the replies. It claims, retries and dead-letters nothing: a client without a reply asks again.

    Queries whose answers must not leave unrecorded (`is_recorded`) go through `record` first, in a transaction that
    commits before the handler's begins. What it returns is in `batch.answers`; it names a query by `id(item)`, because
    two senders may use one message id.
    """

    is_recorded: Callable[[Envelope[Any]], bool] = lambda _: False
    record: Callable[[Transaction, Sequence[Envelope[Any]]], Awaitable[Mapping[Any, Any]]] | None = None


@dataclass(frozen=True, kw_only=True)
class CallRoute(Route):
    """A queue whose messages need calls to another system, which are made before the handler's transaction.

    `prepare` reads what the calls need, in a transaction of its own. `call` makes them while no transaction is open,
    and returns an answer for each item by its id, which the handler finds in `batch.answers`. Calls are repeated after
    a crash, so they carry an idempotency key. An UnavailableError (or an OSError) from `call` pauses this queue alone
    until the other system is back.
    """

    prepare: Callable[[Transaction, Sequence[Envelope[Any]]], Awaitable[Any]]
    call: Callable[[Any], Awaitable[Mapping[str, Any]]]
