"""Telling the broker: what is sent on is confirmed first, then all is acknowledged, in as few frames as it takes."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aiormq.abc import AbstractChannel

from messages.topology import Names, tier
from outbox.crashpoint import crashpoint
from outbox.outcome import Outcome as Published
from outbox.publisher import Publisher
from workers.runtime import metrics
from workers.runtime.outcome import Kind, Outcome
from workers.runtime.policy import Policy
from workers.runtime.republish import dead_headers, properties, rejection, retry_headers

log = structlog.get_logger(__name__)

REQUEUE_WAIT_SECONDS = 1.0  # before a message that could not be sent on is taken again


class Line:
    """A channel and how far it is settled: every tag up to `through` is."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel
        self.through = 0


@dataclass(frozen=True)
class Settler:
    """Settles the messages of one queue."""

    queue: str
    names: Names
    publisher: Publisher
    policy: Policy
    delay_plugin: bool = False

    async def settle(self, line: Line, outcomes: Sequence[Outcome]) -> None:
        """Raises aiormq's errors or RuntimeError when the channel is gone: then the broker delivers all of it again."""
        channel = line.channel
        if channel.is_closed:
            return
        aside = [outcome for outcome in outcomes if outcome.kind not in (Kind.ACKED, Kind.DUPLICATE)]
        kept = await self._send_on(aside) if aside else frozenset()
        if kept:
            await asyncio.sleep(REQUEUE_WAIT_SECONDS)
        tags = sorted((outcome.work.delivery.tag, outcome.work.delivery.tag not in kept) for outcome in outcomes)
        for tag, multiple, done in frames(tags, line.through):
            if done:
                await channel.basic_ack(tag, multiple=multiple, wait=False)
            else:
                await channel.basic_reject(tag, requeue=True, wait=False)
        line.through = through(tags, line.through)
        metrics.settled(self.queue, outcomes)

    async def _send_on(self, outcomes: Sequence[Outcome]) -> frozenset[int]:
        """The tags of those that stay in the queue because nobody else has them for certain."""
        sent = await asyncio.gather(*(self._send(outcome) for outcome in outcomes))
        if any(sent):
            crashpoint("after_retry_publish")
        return frozenset(outcome.work.delivery.tag for outcome, done in zip(outcomes, sent, strict=True) if not done)

    async def _send(self, outcome: Outcome) -> bool:
        match outcome.kind:
            case Kind.REQUEUED:
                return False
            case Kind.RETRIED:
                return await self._retry(outcome)
            case _:
                return await self._bury(outcome)

    async def _retry(self, outcome: Outcome) -> bool:
        work, names = outcome.work, self.names
        seconds = self.policy.wait_seconds(work.attempt)
        about = properties(work, self.publisher.user, retry_headers(work, datetime.now(UTC)))
        key = f"{tier(seconds)}.{names.queue(self.queue)}"
        if self.delay_plugin:  # it returns every mandatory message
            about.headers = {**(about.headers or {}), "x-delay": seconds * 1000}
        exchange = names.delay_plugin if self.delay_plugin else names.delay
        answer = await self.publisher.publish(exchange, key, about, work.delivery.body, not self.delay_plugin)
        return self._confirmed(outcome, answer)

    async def _bury(self, outcome: Outcome) -> bool:
        work, failure = outcome.work, outcome.failure
        assert failure is not None, "only a failure is given up"
        about = properties(work, self.publisher.user, dead_headers(work, failure, datetime.now(UTC)))
        about.message_id = about.message_id or f"none/{work.delivery.body_hash.hex()}"
        key = self.names.queue(self.queue)
        answer = await self.publisher.publish(self.names.dlx, key, about, work.delivery.body, True)
        if not self._confirmed(outcome, answer):
            return False
        metrics.DEAD_LETTERS.labels(self.queue, failure.reason).inc()
        said = {"queue": self.queue, "message_id": about.message_id, "type": about.message_type}
        log.warning("dead letter", **said, reason=failure.reason, error=failure.error_type, path=failure.path)
        if outcome.kind is Kind.INVALID and work.reply_to is not None:
            await self._tell(outcome, work.reply_to)
        return True

    async def _tell(self, outcome: Outcome, reply_to: str) -> None:
        """Nobody may be listening any more, which is no failure."""
        assert outcome.failure is not None, "an invalid message says why"
        about, body = rejection(outcome.work, outcome.failure, self.publisher.user)
        await self.publisher.publish("", reply_to, about, body, False)

    def _confirmed(self, outcome: Outcome, answer: Published) -> bool:
        if answer is not Published.CONFIRMED:
            log.warning("not sent on, stays in its queue", queue=self.queue, outcome=outcome.kind, answer=answer)
        return answer is Published.CONFIRMED


def frames(tags: Sequence[tuple[int, bool]], settled: int) -> Iterator[tuple[int, bool, bool]]:
    """(tag, multiple, done) for tags in ascending order: one ack for an unbroken run, a reject for each not done.

    `settled`: every tag up to here is. Above a gap each is settled by itself, or the missing one would be too, unseen.
    """
    run = 0
    for place, (tag, done) in enumerate(tags):
        unbroken = tag == settled + 1 + place
        run = run + 1 if done and unbroken else 0
        if not (done and unbroken):
            yield tag, False, done
        elif place + 1 == len(tags) or tags[place + 1] != (tag + 1, True):
            yield tag, run > 1, True


def through(tags: Sequence[tuple[int, bool]], settled: int) -> int:
    """How far a channel is settled after these: the last tag before the first gap."""
    for tag, _ in tags:
        if tag != settled + 1:
            break
        settled = tag
    return settled
