"""Sends kept events to the queue of a new consumer, past every exchange, so that no other consumer gets them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import DeliveryError
from yarl import URL

from messages.topology import Names
from outbox import wire
from scripts.commands.connections import BrokerSettings, broker_url
from scripts.commands.event_reading import KeptEvent
from scripts.commands.problems import Code, CommandError

CARRIED = ("causation-id", "occurred-at", "stream", "seq", "conversation-id", "traceparent", "tracestate")
"""The headers that go along: those of the contract, and none by which a broker routes or counts."""
CONFIRM_TIMEOUT_SECONDS = 20.0


def refuse_own(queue: str, names: Names) -> None:
    """Raise CommandError for a queue of ours: our handlers take no events, and would dead-letter every one."""
    if queue.startswith(f"{names.prefix}.") or not queue:
        why = "events go to the queue of a consumer, such as client.ROLE.NAME, and to no queue or exchange of ours"
        hint = "oms events replay --from first --queue client.ledger.orders"
        raise CommandError(Code.REFUSED, f"{queue or 'nothing'} is no queue of a consumer", why=why, hint=hint)


class EventSender:
    """Publishes to one queue, and waits for each confirm, so that the events arrive in their order."""

    def __init__(self, exchange: AbstractExchange, queue: str, user: str | None) -> None:
        self._exchange, self._queue, self._user = exchange, queue, user

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: BrokerSettings, queue: str) -> AsyncIterator["EventSender"]:
        """Connect until the block ends."""
        url = broker_url(settings)
        connection = await wire.connect(url, name="oms events")
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            yield cls(channel.default_exchange, queue, URL(url).user)
        finally:
            await wire.close(connection)

    async def send(self, event: KeptEvent) -> None:
        """Publish one event under its message id. Raises CommandError if the queue does not take it."""
        given = event.message
        message = aio_pika.Message(
            given.body,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=given.message_id,
            correlation_id=given.correlation_id,
            timestamp=given.timestamp,
            type=given.type,
            app_id=given.app_id,
            user_id=self._user,
            headers={name: given.headers[name] for name in CARRIED if name in given.headers},
        )
        again = f"the same command with --from {event.offset}"
        try:
            await self._exchange.publish(message, self._queue, mandatory=True, timeout=CONFIRM_TIMEOUT_SECONDS)
        except DeliveryError as error:
            why = "there is no such queue, or it is full"
            hint = f"declare it, then {again}"
            raise CommandError(Code.FAILED, f"{self._queue} does not take events", why=why, hint=hint) from error
        except TimeoutError as error:
            why = f"no confirm in {CONFIRM_TIMEOUT_SECONDS:.0f} s; the event may have arrived"
            raise CommandError(Code.UNREACHABLE, "the broker did not confirm", why=why, hint=again) from error
