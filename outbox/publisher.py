"""Publishes with confirms over a connection that it reopens by itself. Relays and workers use it."""

import asyncio
import time
from contextlib import suppress

import structlog
from tenacity import AsyncRetrying, RetryCallState, wait_exponential_jitter
from yarl import URL

from outbox import metrics, wire
from outbox.amqp import Properties
from outbox.outcome import PublishOutcome
from outbox.session import Session

log = structlog.get_logger(__name__)

RECONNECT_WAIT_MIN_SECONDS = 0.1
RECONNECT_WAIT_MAX_SECONDS = 5.0
WATCH_SECONDS = 0.25  # between checks for an overdue answer and for a broker alarm


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
        self._suspects = 0
        self._refusals = 0
        self._one_by_one = asyncio.Lock()
        self.user = URL(url).user or "guest"

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
        if self._session is not None:
            await self._session.close()

    async def publish(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes, mandatory: bool
    ) -> PublishOutcome:
        """Send a message and wait for the broker's answer.

        `properties.message_id` is required. It never raises for broker errors.
        """
        started = time.perf_counter()
        outcome = await self._outcome(exchange, routing_key, properties, body, mandatory)
        metrics.published(outcome, time.perf_counter() - started)
        return outcome

    async def _outcome(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes, mandatory: bool
    ) -> PublishOutcome:
        if not self._suspects:
            return await self._send(exchange, routing_key, properties, body, mandatory)
        async with self._one_by_one:
            self._suspects = max(0, self._suspects - 1)
            return await self._send(exchange, routing_key, properties, body, mandatory)

    async def _send(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes, mandatory: bool
    ) -> PublishOutcome:
        session = self._session
        assert properties.message_id, "a message without an id cannot be matched to its return"
        while session is not None and (same := session.awaiting(properties.message_id)) is not None:
            await asyncio.wait([same])
        if session is None or session.closed.is_set():
            return PublishOutcome.LOST
        try:
            return await session.submit(exchange, routing_key, properties, body, mandatory)
        except (ValueError, TypeError) as error:
            log.warning("AMQP cannot express a message", message_id=properties.message_id, error=type(error).__name__)
            return PublishOutcome.ERROR

    async def _keep(self) -> None:
        while True:
            session = self._session = await self._connect()
            self._connected.set()
            metrics.connected(self._role, up=True)
            log.info("publisher connected", name=self._name)
            await self._watch(session)
            metrics.connected(self._role, up=False)
            log.warning("publisher lost its channel, reconnecting", name=self._name, refusal=str(session.refusal or ""))
            await session.close()
            self._refusals = self._refusals + 1 if session.refusal is not None and not session.confirmed_any else 0
            await asyncio.sleep(_pause_seconds(self._refusals))

    async def _connect(self) -> Session:
        backoff = wait_exponential_jitter(
            multiplier=RECONNECT_WAIT_MIN_SECONDS, max=RECONNECT_WAIT_MAX_SECONDS, jitter=0.1
        )
        async for attempt in AsyncRetrying(wait=backoff, before_sleep=self._failed):
            with attempt:
                return await self._open()
        raise AssertionError("retrying never ends without a result")

    async def _open(self) -> Session:
        connection = await wire.connect(self._url, name=self._name)
        try:
            return await Session.open(connection)
        except BaseException:
            await wire.close(connection)
            raise

    def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        log.warning(
            "broker unreachable, retrying", name=self._name, error=type(error).__name__, attempt=state.attempt_number
        )

    async def _watch(self, session: Session) -> None:
        """Wait until the session ends. Return early when an answer is overdue, since then all its answers are in doubt.

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
                    return
            with suppress(TimeoutError):
                await asyncio.wait_for(session.closed.wait(), WATCH_SECONDS)
        if session.suspects > 1:
            self._suspects = session.suspects  # this many are sent one by one next, to find the culprit


def _pause_seconds(refusals: int) -> float:
    """The pause after this many sessions in a row that the broker ended before it confirmed a message.

    The pause spares the broker a handshake for each new session.
    """
    doublings = 1 << min(refusals, 10)
    return min(RECONNECT_WAIT_MAX_SECONDS, RECONNECT_WAIT_MIN_SECONDS * doublings)
