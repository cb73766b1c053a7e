"""Finds the message that makes the broker end a channel, among all that were in flight when it did.

RabbitMQ answers some messages by closing the channel or the whole connection, and does not say which message it was. So
all that were in flight are sent again over a connection of their own: in small groups, then one by one. The main
connection publishes everything else meanwhile. A message is refused for good once the broker has refused it alone.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from outbox import amqp, wire
from outbox.outcome import Answer, PublishOutcome
from outbox.rendering import Rendered
from outbox.session import CONNECTION_ERRORS, Session

log = structlog.get_logger(__name__)

PARTS = 16  # a refused group is cut into so many: of 4,000 messages, the culprit is found with 3 more connections
DOUBTFUL_REFUSALS = 2  # when the broker itself may be the reason, a message is refused after so many times alone
LOSSES_MAX = 3  # a message that was in flight at so many lost connections in a row is a suspect too
LOSSES_ALONE_MAX = 3  # and after so many more, each time alone, it is refused
REMEMBERED_MAX = 10_000  # lost messages, and refused addresses; at more than that they are forgotten
PAUSE_SECONDS = 0.02  # between two connections, so that many refused messages do not keep the broker busy


@dataclass(eq=False)
class Suspect:
    """A message that may be the culprit. `refusals` counts how often the broker refused it alone."""

    message: Rendered
    refusals: int = 0
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def id(self) -> str:
        """The message id."""
        return str(self.message.properties.message_id)


class Suspects:
    """Sends suspects again and finds the outcome of each. It connects only while there are suspects."""

    def __init__(self, url: str, *, name: str, timeout_seconds: float) -> None:
        self._url = url
        self._name = f"{name} (suspects)"
        self._timeout_seconds = timeout_seconds
        self._arrived: list[Suspect] = []
        self._groups: deque[list[Suspect]] = deque()
        self._examiner: asyncio.Task[None] | None = None
        self._losses: Counter[str] = Counter()
        self._refused_addresses: set[str] = set()

    async def examine(
        self, message: Rendered, refusal: amqp.BrokerRefusal | None = None, *, alone: bool = False
    ) -> Answer:
        """Send a message again, and return its outcome. It is LOST only if the broker cannot be reached.

        `refusal` is what the broker refused while this message was in flight, if need be `alone`.
        """
        suspect = Suspect(message)
        if refusal is not None and alone and (answer := self._judge(suspect, refusal)) is not None:
            return answer
        self._arrived.append(suspect)
        if self._examiner is None or self._examiner.done():
            self._examiner = asyncio.create_task(self._examine(), name=self._name)
        return await suspect.answer

    def is_suspect(self, message: Rendered) -> bool:
        """True if the broker has refused a message to this queue, or too many connections were lost with this message.

        Strangers choose the queues of the default exchange, and may name the same one in many messages.
        """
        if not message.exchange and message.routing_key in self._refused_addresses:
            return True
        return self._losses[str(message.properties.message_id)] >= LOSSES_MAX

    def lost(self, message: Rendered) -> None:
        """Note that the connection was lost, for no reason that the broker gave, with this message in flight."""
        if len(self._losses) >= REMEMBERED_MAX:
            self._losses.clear()
        self._losses[str(message.properties.message_id)] += 1

    def answered(self, message: Rendered) -> None:
        """Note that the broker has answered this message."""
        if self._losses:
            self._losses.pop(str(message.properties.message_id), None)

    async def close(self) -> None:
        """Give up. Suspects get LOST."""
        if self._examiner is not None:
            self._examiner.cancel()
            await asyncio.wait([self._examiner])

    async def _examine(self) -> None:
        await asyncio.sleep(0)  # all messages of the ended channel arrive in one turn of the event loop
        try:
            while self._collect():
                await self._examine_over_one_connection()
                if self._groups:
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._finish((), Answer(PublishOutcome.LOST))

    async def _examine_over_one_connection(self) -> None:
        try:
            connection = await wire.connect(self._url, name=self._name)
        except CONNECTION_ERRORS as error:
            log.warning("cannot connect to send suspects again", name=self._name, error=type(error).__name__)
            self._finish((), Answer(PublishOutcome.LOST))
            return
        try:
            session = await Session.open(connection)
            while self._groups and not session.closed.is_set():
                await self._send(session, self._groups.popleft())
                self._collect()
        except CONNECTION_ERRORS:
            self._finish((), Answer(PublishOutcome.LOST))
        finally:
            await wire.close(connection)

    def _collect(self) -> bool:
        """Take what has arrived into groups. True if there are any."""
        arrived, self._arrived = self._arrived, []
        self._groups.extend(_parts(arrived))
        return bool(self._groups)

    async def _send(self, session: Session, group: Sequence[Suspect]) -> None:
        """Send a group, and answer each message of which the outcome is known. The others stay suspects."""
        sent: list[tuple[Suspect, asyncio.Future[PublishOutcome]]] = []
        for suspect in group:
            if suspect.answer.done():
                continue
            if session.awaiting(suspect.id) is not None:
                self._groups.append([suspect])
                continue
            try:
                sent.append((suspect, session.submit(suspect.message)))
            except ValueError as error:
                _answer(suspect, Answer(PublishOutcome.ERROR, str(error)))
        await self._wait(session, [answer for _, answer in sent])
        unknown = []
        for suspect, outcome in sent:
            if outcome.result() is PublishOutcome.LOST:
                unknown.append(suspect)
            else:
                self.answered(suspect.message)
                self._refused_addresses.discard(suspect.message.routing_key)
                _answer(suspect, Answer(outcome.result()))
        if unknown:
            self._sort_out(session, unknown)

    async def _wait(self, session: Session, answers: Sequence[asyncio.Future[PublishOutcome]]) -> None:
        if not answers:
            return
        _, late = await asyncio.wait(answers, timeout=self._timeout_seconds)
        if late:
            session.abandon(PublishOutcome.LOST if session.blocked else PublishOutcome.TIMED_OUT)
            session.closed.set()

    def _sort_out(self, session: Session, unknown: Sequence[Suspect]) -> None:
        """Judge a message that was alone. Cut a refused group into smaller ones."""
        refusal = session.refusal
        if refusal is None:
            self._finish(unknown, Answer(PublishOutcome.LOST))
            return
        of_exchange = [suspect for suspect in self._all(unknown) if refusal.names(suspect.message.exchange)]
        for suspect in of_exchange:
            _answer(suspect, Answer(PublishOutcome.NO_EXCHANGE, str(refusal)))
        left = [suspect for suspect in unknown if not suspect.answer.done()]
        if len(left) == len(unknown) == 1 and (answer := self._judge(left[0], refusal)) is not None:
            _answer(left[0], answer)
            return
        self._groups.extend(_parts(left))

    def _all(self, unknown: Iterable[Suspect]) -> Iterable[Suspect]:
        yield from unknown
        for group in self._groups:
            yield from group

    def _finish(self, unknown: Sequence[Suspect], answer: Answer) -> None:
        """Answer these and all other suspects in one way, since the connection is lost.

        A message that was alone at too many lost connections is refused.
        """
        for suspect in unknown:
            self.lost(suspect.message)
        if len(unknown) == 1 and self._losses[unknown[0].id] >= LOSSES_MAX + LOSSES_ALONE_MAX:
            losses = self._losses[unknown[0].id]
            reason = f"the connection ended {losses} times in a row with this message in flight, at last with no other"
            _answer(unknown[0], Answer(PublishOutcome.REFUSED, reason))
        for suspect in (*unknown, *self._all(self._arrived)):
            _answer(suspect, answer)
        self._groups.clear()
        self._arrived.clear()

    def _judge(self, suspect: Suspect, refusal: amqp.BrokerRefusal) -> Answer | None:
        """The answer for a message that the broker refused alone. None if it has to be tried again."""
        message = suspect.message
        if refusal.names(message.exchange):
            return Answer(PublishOutcome.NO_EXCHANGE, str(refusal))
        suspect.refusals += 1
        if refusal.in_doubt and suspect.refusals < DOUBTFUL_REFUSALS:
            return None
        if not message.exchange:
            if len(self._refused_addresses) >= REMEMBERED_MAX:
                self._refused_addresses.clear()
            self._refused_addresses.add(message.routing_key)
        return Answer(PublishOutcome.REFUSED, str(refusal))


def _answer(suspect: Suspect, answer: Answer) -> None:
    if not suspect.answer.done():
        suspect.answer.set_result(answer)


def _parts(suspects: Sequence[Suspect]) -> list[list[Suspect]]:
    """Cut suspects into groups of one exchange. The default exchange is last: strangers may choose its queues."""
    by_exchange: dict[str, list[Suspect]] = {}
    for suspect in sorted(suspects, key=lambda suspect: suspect.message.exchange, reverse=True):
        by_exchange.setdefault(suspect.message.exchange, []).append(suspect)
    groups = []
    for of_exchange in by_exchange.values():
        size = -(-len(of_exchange) // PARTS)
        groups += [of_exchange[start : start + size] for start in range(0, len(of_exchange), size)]
    return groups
