"""Publishes with confirms over a connection that it reopens by itself. Relays and workers use it."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential_jitter
from yarl import URL

from db.errors import LoginRefusedError
from outbox import metrics, tracing, wire
from outbox.amqp import Properties
from outbox.outcome import Answer, PublishOutcome
from outbox.rendering import Rendered
from outbox.session import CONNECTION_ERRORS, Session
from outbox.suspects import Suspects

log = structlog.get_logger(__name__)

RECONNECT_WAIT_MIN_SECONDS = 0.1
RECONNECT_WAIT_MAX_SECONDS = 5.0
WATCH_SECONDS = 0.25  # between checks for an overdue answer and for a broker alarm
BARRED_SECONDS = 1.0  # between tries of an exchange that is missing or closed to us
CHANNEL_AGE_MIN_SECONDS = 1.0  # of a channel that is replaced because a queue refuses; doubles while it still refuses
CHANNEL_AGE_MAX_SECONDS = 5.0  # a queue that is full for hours costs a round trip each 5 seconds
REFUSING_ADDRESSES_MAX = 1_000
PUBLISHED_AT = "published-at"  # this header tells how long a message waited in its queue


@dataclass(frozen=True)
class _Barred:
    """An exchange that takes nothing from us. One message tries it again at `until` (on the loop's clock)."""

    until: float
    reason: str


class Publisher:
    """One connection with one confirm channel. `publish` never waits for a connection; `ready` does.

    `role` labels the metrics. `user` is the broker user of the URL, for the property `user_id`.
    """

    def __init__(self, url: str, *, name: str, role: str = "publisher", timeout_seconds: float = 20.0) -> None:
        self._url = url
        self._name = name
        self._role = role
        self._timeout_seconds = timeout_seconds
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._suspects = Suspects(url, name=name, timeout_seconds=timeout_seconds)
        self._barred: dict[str, _Barred] = {}
        self._channel_ages: dict[tuple[str, str], float] = {}
        self._stale = False
        self._draining: set[asyncio.Task[None]] = set()
        self._refusals = 0
        self.user = URL(url).user or "guest"
        metrics.prepare(role)

    async def __aenter__(self) -> "Publisher":
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """True while the channel is open. The broker may still take no messages (see `blocked`)."""
        return self._session is not None and not self._session.closed.is_set()

    @property
    def blocked(self) -> bool:
        """True while the broker has an alarm and takes no messages."""
        return self._session is not None and self._session.blocked

    @property
    def healthy(self) -> bool:
        """True while a publish can succeed: connected and not blocked."""
        return self.connected and not self.blocked

    @property
    def alive(self) -> bool:
        """True while the task that keeps the connection runs. If it has ended, only a new process helps."""
        return self._keeper is None or not self._keeper.done() or self._keeper.cancelled()

    def start(self) -> asyncio.Task[None]:
        """Start the task that connects and reconnects, and return it. Only a bug can end that task."""
        self._keeper = self._keeper or asyncio.create_task(self._keep(), name=f"publisher {self._name}")
        return self._keeper

    async def ready(self) -> None:
        """Wait until connected."""
        while not self.connected:
            self._connected.clear()
            await self._connected.wait()

    async def close(self) -> None:
        """End the connection. Messages in flight get LOST, so callers wait for their publishes first."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await self._suspects.close()
        for draining in self._draining:
            draining.cancel()
        if self._session is not None:
            await self._session.close()

    async def publish(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes, mandatory: bool
    ) -> PublishOutcome:
        """Send a message and wait for the broker's answer. See `send`."""
        return (await self.send(Rendered(exchange, routing_key, properties, body, mandatory))).outcome

    async def send(self, message: Rendered, *, suspect: bool = False) -> Answer:
        """Send a message and wait for the broker's answer.

        `properties.message_id` is required. It never raises for broker errors. A `suspect` is a message that the
        broker has refused before. It is sent over a connection of its own, since it might take other messages with it.
        """
        assert message.properties.message_id, "a message without an id cannot be matched to its return"
        if message.properties.headers is not None:
            message.properties.headers[PUBLISHED_AT] = datetime.now(UTC).isoformat(timespec="microseconds")
        started = time.perf_counter()
        answer = await (self._traced if tracing.active() else self._answer)(message, suspect=suspect)
        metrics.published(answer.outcome, time.perf_counter() - started)
        return answer

    async def _traced(self, message: Rendered, *, suspect: bool) -> Answer:
        with tracing.publishing(message) as answers:
            answers.append(await self._answer(message, suspect=suspect))
        return answers[0]

    async def _answer(self, message: Rendered, *, suspect: bool) -> Answer:
        if not self.connected:
            return Answer(PublishOutcome.LOST)
        now = asyncio.get_running_loop().time()
        barred = self._barred.get(message.exchange)
        if barred is not None and now < barred.until:
            return Answer(PublishOutcome.NO_EXCHANGE, barred.reason)
        if barred is not None:
            self._bar(message.exchange, barred.reason)  # one message tries again, the others wait for its answer
        if barred is not None or suspect or self._suspects.is_suspect(message):
            answer = await self._suspects.examine(message)
        else:
            answer = await self._send(message)
        if answer.outcome is PublishOutcome.NO_EXCHANGE:
            self._bar(message.exchange, answer.reason)
        elif barred is not None and answer.outcome is not PublishOutcome.LOST:
            self._barred.pop(message.exchange, None)
        return answer

    async def _send(self, message: Rendered) -> Answer:
        session = self._session
        while session is not None and (same := session.awaiting(str(message.properties.message_id))) is not None:
            await asyncio.wait([same])
            session = self._session
        if session is None or session.closed.is_set():
            return Answer(PublishOutcome.LOST)
        try:
            outcome = await session.submit(message)
        except ValueError as error:
            return Answer(PublishOutcome.ERROR, str(error))
        if outcome is not PublishOutcome.LOST:
            self._suspects.answered(message)
            self._note_nacks(message, outcome, session)
        elif session.refusal is not None:
            return await self._suspects.examine(message, session.refusal, alone=session.suspects == 1)
        elif session.suspects:
            self._suspects.lost(message)
        return Answer(outcome)

    def _note_nacks(self, message: Rendered, outcome: PublishOutcome, session: Session) -> None:
        """Ask for a new channel when a queue refuses a message.

        A channel of RabbitMQ 3.10 that was open while a queue was full may refuse everything for this queue for ever,
        for instance when a policy made it full and is gone (measured). A new channel is accepted at once. The older the
        refusal, the older a channel must be to be replaced.
        """
        address = message.exchange, message.routing_key
        if outcome is not PublishOutcome.NACKED:
            if self._channel_ages:
                self._channel_ages.pop(address, None)
            return
        if len(self._channel_ages) >= REFUSING_ADDRESSES_MAX:
            self._channel_ages.clear()
        age = self._channel_ages.get(address, 0.0)
        if session is self._session and asyncio.get_running_loop().time() - session.opened_at >= age:
            self._channel_ages[address] = min(CHANNEL_AGE_MAX_SECONDS, max(CHANNEL_AGE_MIN_SECONDS, 2 * age))
            self._stale = True

    def _bar(self, exchange: str, reason: str) -> None:
        self._barred[exchange] = _Barred(asyncio.get_running_loop().time() + BARRED_SECONDS, reason)

    async def _keep(self) -> None:
        while True:
            session: Session | None = await self._connect()
            metrics.connected(self._role, up=True)
            log.info("publisher connected", name=self._name)
            while session is not None:
                self._session = session
                self._connected.set()
                session = await self._next(session)
            metrics.connected(self._role, up=False)
            if self._refusals != 1:  # the first refusal ends a connection that was well
                await asyncio.sleep(_pause_seconds(self._refusals))

    async def _next(self, session: Session) -> Session | None:
        """Wait until a session ends. Return the next one on the same connection, or None if that has ended too."""
        if await self._watch(session):
            with suppress(*CONNECTION_ERRORS):
                following = await Session.open(session.connection)
                log.info("publisher opened a new channel, since a queue refuses messages", name=self._name)
                self._drain(session)
                return following
        refusal = session.refusal
        self._refusals = self._refusals + 1 if refusal is not None and not session.confirmed_any else 0
        log.warning("publisher lost its channel, opening another", name=self._name, refusal=str(refusal or ""))
        if refusal is not None and not session.connection.is_closed:
            if self._refusals > 1:
                await asyncio.sleep(_pause_seconds(self._refusals))
            with suppress(*CONNECTION_ERRORS):
                return await Session.open(session.connection)
        await session.close()
        return None

    def _drain(self, session: Session) -> None:
        draining = asyncio.create_task(session.drain(self._timeout_seconds), name=f"{self._name} drains a channel")
        self._draining.add(draining)
        draining.add_done_callback(self._draining.discard)

    async def _connect(self) -> Session:
        backoff = wait_exponential_jitter(
            multiplier=RECONNECT_WAIT_MIN_SECONDS, max=RECONNECT_WAIT_MAX_SECONDS, jitter=0.1
        )
        again = retry_if_exception(self._may_pass)
        async for attempt in AsyncRetrying(wait=backoff, before_sleep=self._failed, retry=again, reraise=True):
            with attempt:
                return await self._open()
        raise AssertionError("retrying never ends without a result")

    def _may_pass(self, error: BaseException) -> bool:
        """False for a login that is refused at the start of the process: later the password may have changed for now.

        False for a cancellation too, which tenacity would swallow.
        """
        is_refused_at_start = isinstance(error, LoginRefusedError) and self._session is None
        return isinstance(error, Exception) and not is_refused_at_start

    async def _open(self) -> Session:
        try:
            connection = await wire.connect(self._url, name=self._name)
        except wire.LOGIN_REFUSED as error:
            raise LoginRefusedError(wire.explain_refusal(error)) from error
        try:
            return await Session.open(connection)
        except BaseException:
            await wire.close(connection)
            raise

    def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        why, attempt = str(error)[:200], state.attempt_number
        log.warning(
            "broker unreachable, retrying", name=self._name, error=type(error).__name__, why=why, attempt=attempt
        )

    async def _watch(self, session: Session) -> bool:
        """Wait until the session ends. True if it is well but wants a new channel.

        Return early when an answer is overdue, since then all its answers are in doubt.

        While the broker is blocked, the session is kept: the broker answers when its alarm is over, and it would not
        report the alarm to a new connection.
        """
        while not session.closed.is_set():
            metrics.blocked(self._role, session.blocked)
            overdue = asyncio.get_running_loop().time() - self._timeout_seconds
            if session.sent_before(overdue):
                session.abandon(
                    PublishOutcome.LOST if session.blocked else PublishOutcome.TIMED_OUT, sent_before=overdue
                )
                if not session.blocked:
                    return False
            if self._stale and not session.blocked:
                self._stale = False
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(session.closed.wait(), WATCH_SECONDS)
        return False


def _pause_seconds(refusals: int) -> float:
    """The pause after this many sessions in a row that the broker ended before it confirmed a message.

    The pause spares the broker a handshake for each new session.
    """
    doublings = 1 << min(refusals, 10)
    return min(RECONNECT_WAIT_MAX_SECONDS, RECONNECT_WAIT_MIN_SECONDS * doublings)
