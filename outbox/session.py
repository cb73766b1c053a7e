"""One confirm channel that publishes many messages side by side.

`amqp.ConfirmChannel` encodes and counts messages. The session sends all messages of one turn of the event
loop in one write, ends every missing answer when the channel ends, and never has a message id in flight twice.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, DeliveryError, PublishError

from outbox import amqp, wire
from outbox.outcome import PublishOutcome
from outbox.rendering import Rendered

CHANNEL_TIMEOUT_SECONDS = 10.0
CONNECTION_ERRORS = (OSError, TimeoutError, RuntimeError, AMQPError)


@dataclass(eq=False)
class _Sent:
    answer: asyncio.Future[PublishOutcome]
    at: float


class Session:
    """A session lives as long as its channel. `closed` is set when the channel ends, for any reason.

    If the broker ended it because of a message, `refusal` says why, and `suspects` is the number of messages in flight
    then. One of them was the reason.
    """

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel, confirms: amqp.ConfirmChannel) -> None:
        self._connection = connection
        self._channel = channel  # a strong reference
        self._confirms = confirms
        self._loop = asyncio.get_running_loop()
        self._in_flight: dict[str, _Sent] = {}
        self._unsent: list[bytes] = []
        self._flusher: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self.opened_at = self._loop.time()
        self.refusal: amqp.BrokerRefusal | None = None
        self.suspects = 0
        self.confirmed_any = False  # true once the broker has confirmed a message
        channel.close_callbacks.add(self._ended)

    @classmethod
    async def open(cls, connection: AbstractConnection) -> "Session":
        """Open a channel on a connection. Raises one of CONNECTION_ERRORS."""
        async with asyncio.timeout(CHANNEL_TIMEOUT_SECONDS):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            return cls(connection, channel, await amqp.ConfirmChannel.below(channel))

    def awaiting(self, message_id: str) -> "asyncio.Future[PublishOutcome] | None":
        """The pending answer for a message, or None if the message is not in flight."""
        sent = self._in_flight.get(message_id)
        return sent.answer if sent is not None else None

    @property
    def connection(self) -> AbstractConnection:
        """The connection of the channel, on which another session can be opened."""
        return self._connection

    @property
    def blocked(self) -> bool:
        """True while the broker accepts no messages (memory or disk alarm)."""
        return amqp.is_blocked(self._connection)

    def sent_before(self, moment: float) -> bool:
        """True if a message sent before `moment` (on the loop's clock) still has no answer."""
        return next((sent.at < moment for sent in self._in_flight.values()), False)

    def submit(self, message: Rendered) -> asyncio.Future[PublishOutcome]:
        """Queue a message for the next write and return its pending answer.

        Raises ValueError for what AMQP cannot express.
        """
        frames = self._confirms.encode(
            message.exchange, message.routing_key, message.properties, message.body, message.mandatory
        )
        message_id = str(message.properties.message_id)
        assert message_id not in self._in_flight
        confirmation = self._confirms.expect(message_id)
        sent = self._in_flight[message_id] = _Sent(self._loop.create_future(), self._loop.time())
        confirmation.add_done_callback(lambda answer: self._answered(message_id, sent, answer))
        self._unsent.append(frames)
        if self._flusher is None:
            self._flusher = self._loop.create_task(self._flush())
        return sent.answer

    def abandon(self, outcome: PublishOutcome, *, sent_before: float | None = None) -> None:
        """End the wait for all messages, or for those sent before a moment, with `outcome`."""
        for message_id, sent in list(self._in_flight.items()):
            if sent_before is None or sent.at < sent_before:
                self._finish(message_id, sent, outcome)

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until all messages in flight are answered, then end the channel but not its connection.

        Messages that are not answered in time get LOST.
        """
        if self._in_flight:
            await asyncio.wait([sent.answer for sent in self._in_flight.values()], timeout=timeout_seconds)
        self.abandon(PublishOutcome.LOST)
        with suppress(*CONNECTION_ERRORS):
            await self._channel.close()
        self.closed.set()

    async def close(self) -> None:
        """End the connection. Messages in flight get LOST."""
        self.abandon(PublishOutcome.LOST)
        await wire.close(self._connection)
        self.closed.set()

    async def _flush(self) -> None:
        while self._unsent:
            frames = b"".join(self._unsent)
            self._unsent.clear()
            await self._confirms.write(frames)
        self._flusher = None

    def _answered(self, message_id: str, sent: _Sent, confirmation: "asyncio.Future[object]") -> None:
        error = None if confirmation.cancelled() else confirmation.exception()
        if error is None:
            outcome = PublishOutcome.LOST if confirmation.cancelled() else PublishOutcome.CONFIRMED
            self.confirmed_any = self.confirmed_any or outcome is PublishOutcome.CONFIRMED
        elif isinstance(error, PublishError):
            outcome = PublishOutcome.UNROUTABLE
        else:
            outcome = PublishOutcome.NACKED if isinstance(error, DeliveryError) else PublishOutcome.LOST
        self._finish(message_id, sent, outcome)

    def _finish(self, message_id: str, sent: _Sent, outcome: PublishOutcome) -> None:
        if self._in_flight.get(message_id) is sent:  # else it was abandoned before, and may have been sent again since
            del self._in_flight[message_id]
            self._confirms.forget(message_id)
        if not sent.answer.done():
            sent.answer.set_result(outcome)

    def _ended(self, _: AbstractChannel | None, error: BaseException | None) -> None:
        """End all answers after the channel. Which message the broker refused is found out by sending them again."""
        self.refusal, self.suspects = amqp.refusal(error), len(self._in_flight)
        self.abandon(PublishOutcome.LOST)
        if self._flusher is not None:
            self._flusher.cancel()
        self.closed.set()
