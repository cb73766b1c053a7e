"""Settles deliveries: publishes retries, dead letters and replies, waits for confirms, then acknowledges the batch."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from messages.base import Message
from messages.topology import Names, tier
from outbox import amqp
from outbox.acknowledgements import frames, settled_through
from outbox.crashpoint import crashpoint
from outbox.outcome import PublishOutcome
from outbox.publisher import Publisher
from workers.runtime.decode import Work
from workers.runtime.policy import Kind, Outcome, delay_seconds
from workers.runtime.republish import aside_headers, dead_headers, handed_headers, properties, reply, retry_headers
from workers.runtime.subscription import Subscription
from workers.telemetry import lines, metrics

# A message that could not be sent on goes back to its queue, which counts towards the broker's delivery limit of 50.
REQUEUE_WAIT_SECONDS = 5.0
PUBLISHER_WAIT_MAX_SECONDS = 60.0


DELAYED = (Kind.RETRIED, Kind.SET_ASIDE)
SENT_ON = (*DELAYED, Kind.HANDED_ON)


@dataclass(frozen=True)
class Settler:
    """Carries out outcomes at the broker, for any queue."""

    names: Names
    publisher: Publisher
    delay_plugin: bool = False

    async def settle(self, queue: str, subscription: Subscription, outcomes: Sequence[Outcome]) -> None:
        """Acknowledge or give back each message.

        Raises AMQPError or RuntimeError when the channel is gone; then the broker delivers all of them again.
        """
        channel = subscription.channel
        if channel.is_closed:
            return
        aside = [outcome for outcome in outcomes if outcome.reply or outcome.kind not in (Kind.ACKED, Kind.DUPLICATE)]
        kept = await self._send_on(queue, aside) if aside else frozenset()
        if kept:
            await asyncio.sleep(REQUEUE_WAIT_SECONDS)
        tags = sorted((outcome.work.delivery.tag, outcome.work.delivery.tag not in kept) for outcome in outcomes)
        for tag, multiple, done in frames(tags, subscription.settled):
            if done:
                await amqp.acknowledge(channel, tag, multiple=multiple)
            else:
                await amqp.requeue(channel, tag)
        subscription.settled = settled_through(tags, subscription.settled)
        metrics.settled(queue, outcomes)

    async def _send_on(self, queue: str, outcomes: Sequence[Outcome]) -> frozenset[int]:
        """Publish every message that leaves the queue for another place.

        Returns the tags of the messages that stay, because no confirm came for them.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(PUBLISHER_WAIT_MAX_SECONDS):
                await self.publisher.ready()
        sent = await asyncio.gather(*(self._send(queue, outcome) for outcome in outcomes))
        if any(sent):
            crashpoint("after_retry_publish")
        return frozenset(outcome.work.delivery.tag for outcome, done in zip(outcomes, sent, strict=True) if not done)

    async def _send(self, queue: str, outcome: Outcome) -> bool:
        """Publish to the delay exchange, the queue of another cell, the dead letters or the reply queue.

        True if the message may leave its queue.
        """
        work, failure, names = outcome.work, outcome.failure, self.names
        if outcome.reply is not None:
            lines.left(queue, outcome)
            return await self._reply(work, outcome.reply)
        if failure is None:
            return False  # it is requeued
        exchange, key, headers = names.dlx, names.queue(queue), dead_headers(work, failure)
        if outcome.kind in DELAYED:
            exchange, key, headers = self._delayed(outcome, key)
        elif outcome.kind is Kind.HANDED_ON and failure.cell is not None:
            exchange, key, headers = "", names.of_cell(failure.cell).queue(queue), handed_headers(work)
        about = properties(work, self.publisher.user, headers)
        mandatory = exchange != names.delay_plugin  # the plugin returns every mandatory message
        published = await self.publisher.publish(exchange, key, about, work.delivery.body, mandatory)
        if published is not PublishOutcome.CONFIRMED:
            lines.stays(queue, outcome, published)
            return False
        if outcome.kind not in SENT_ON:
            metrics.DEAD_LETTERS.labels(queue, failure.reason).inc()
        lines.left(queue, outcome)
        return True

    async def _reply(self, work: Work, message: Message) -> bool:
        """Send a reply once. A reply queue that refuses it must not delay the queries of other clients."""
        if work.reply_to is not None:
            about, body = reply(work, message, self.publisher.user)
            await self.publisher.publish("", work.reply_to, about, body, False)
        return True

    def _delayed(self, outcome: Outcome, queue: str) -> tuple[str, str, dict[str, Any]]:
        made = aside_headers if outcome.kind is Kind.SET_ASIDE else retry_headers
        seconds, headers = delay_seconds(outcome), made(outcome.work)
        if self.delay_plugin:
            return self.names.delay_plugin, f"{tier(seconds)}.{queue}", {**headers, "x-delay": seconds * 1000}
        return self.names.delay, f"{tier(seconds)}.{queue}", headers
