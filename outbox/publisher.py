"""Publishes with confirms over a connection that comes back by itself: for the relay, retries and dead letters."""

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
WATCH_SECONDS = 0.25  # how often the oldest message in flight and the broker's alarm are looked at


class Publisher:
    """One connection, one confirm channel. `publish` never waits for a connection; `ready` does.

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
        self._useless = 0
        self._one_by_one = asyncio.Lock()
        self.user = URL(url).user or "guest"

    async def __aenter__(self) -> "Publisher":
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """The channel is open; the broker may still refuse to take messages for now (`blocked`)."""
        return self._session is not None and not self._session.closed.is_set()

    @property
    def blocked(self) -> bool:
        """The broker has an alarm and reads nothing that is published."""
        return self._session is not None and self._session.blocked

    @property
    def healthy(self) -> bool:
        """Connected and not blocked: a publish is worth trying."""
        return self.connected and not self.blocked

    @property
    def alive(self) -> bool:
        """Whether it still sees to its connection: if not, only a new process helps."""
        return self._keeper is None or not self._keeper.done() or self._keeper.cancelled()

    def start(self) -> asyncio.Task[None]:
        """Begin to connect, and keep doing so. The task that does never ends but by a mistake of ours."""
        self._keeper = self._keeper or asyncio.create_task(self._keep(), name=f"publisher {self._name}")
        return self._keeper

    async def ready(self) -> None:
        """Wait until connected."""
        while not self.connected:
            self._connected.clear()
            await self._connected.wait()

    async def close(self) -> None:
        """End the connection. What is in flight is lost; callers who care wait for their publishes first."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._session is not None:
            await self._session.close()

    async def publish(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes, mandatory: bool
    ) -> PublishOutcome:
        """Send and wait for the broker's answer. `properties.message_id` is required. Never raises for the broker."""
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
            log.warning("publisher lost its channel", name=self._name, refusal=str(session.refusal or ""))
            await session.close()
            self._useless = self._useless + 1 if session.refusal is not None and not session.useful else 0
            await asyncio.sleep(_pause_seconds(self._useless))

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
        log.warning("broker not reached", name=self._name, error=type(error).__name__, attempt=state.attempt_number)

    async def _watch(self, session: Session) -> None:
        """Until the session ends, by itself or because an answer is overdue: then its other answers are unknown too.

        A blocked broker answers when its alarm is over; a new connection would not even be told of the alarm.
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
            self._suspects = session.suspects  # as many are sent one by one next, to find which it was


def _pause_seconds(useless: int) -> float:
    """After so many sessions in a row that the broker ended before it took anything: each costs it a handshake."""
    doublings = 1 << min(useless, 10)
    return min(RECONNECT_WAIT_MAX_SECONDS, RECONNECT_WAIT_MIN_SECONDS * doublings)
