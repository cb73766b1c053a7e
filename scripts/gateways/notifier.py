"""Sends notifications until they are acknowledged, for as long as the provider's schedule lasts."""

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import aiohttp

WAITING_MAX = 100_000  # each takes a few hundred bytes until it is first sent, then a few KiB
IN_FLIGHT_MAX = 32
ANSWER_SECONDS = 5.0
ANSWER_BYTES_MAX = 1024


@dataclass(frozen=True)
class Copy:
    """One notification as it is posted once."""

    headers: Mapping[str, str]
    body: bytes


Write: TypeAlias = Callable[[datetime], Copy]
"""Writes the copy that is sent now: the same bytes as before or a new signature, as the provider does it."""
Acknowledged: TypeAlias = Callable[[int, bytes], bool]
"""Tells whether a response (status, body) is an acknowledgement."""


@dataclass(frozen=True)
class Sending:
    """A notification to send; `waits` are the seconds before each further copy."""

    url: str
    write: Write
    waits: Sequence[float]


class Notifier:
    """A heap of notifications by due time.

    If it is full, further ones are dropped: providers guarantee no notification.
    """

    def __init__(self, acknowledged: Acknowledged, waits: Sequence[float]) -> None:
        self.did: Counter[str] = Counter()
        self._acknowledged, self._waits = acknowledged, waits
        self._heap: list[tuple[float, int, Sending]] = []
        self._order = itertools.count()
        self._more = asyncio.Event()
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)

    @property
    def waiting(self) -> int:
        """The number of notifications that are still to be sent."""
        return len(self._heap)

    def send(self, url: str, write: Write, *, after: float = 0.0, once: bool = False) -> None:
        """Send a notification after `after` seconds: once only, or until it is acknowledged."""
        self._push(Sending(url, write, () if once else self._waits), after)

    def send_next_copy(self, url: str, write: Write, *, after: float = 0.0) -> None:
        """Send a notification after the first wait of the schedule, as if a copy before it had failed."""
        self._push(Sending(url, write, self._waits[1:]), after + self._waits[0])

    def _push(self, sending: Sending, after: float) -> None:
        if len(self._heap) >= WAITING_MAX:
            self.did["dropped"] += 1
            return
        heapq.heappush(self._heap, (asyncio.get_running_loop().time() + after, next(self._order), sending))
        self._more.set()

    async def run(self) -> None:
        """Send notifications as they become due, until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            asyncio.TaskGroup() as group,
        ):
            while True:
                sending = await self._next()
                await self._slots.acquire()
                group.create_task(self._deliver(session, sending))

    async def _next(self) -> Sending:
        while True:
            self._more.clear()
            if not self._heap:
                await self._more.wait()
            early = self._heap[0][0] - asyncio.get_running_loop().time()
            if early <= 0:
                return heapq.heappop(self._heap)[2]
            try:
                async with asyncio.timeout(early):
                    await self._more.wait()
            except TimeoutError:
                continue

    async def _deliver(self, session: aiohttp.ClientSession, sending: Sending) -> None:
        try:
            acknowledged = await self._post(session, sending)
        finally:
            self._slots.release()
        if acknowledged:
            self.did["acknowledged"] += 1
        elif sending.waits:
            self.did["sent again"] += 1
            self._push(Sending(sending.url, sending.write, sending.waits[1:]), sending.waits[0])
        else:
            self.did["given up"] += 1

    async def _post(self, session: aiohttp.ClientSession, sending: Sending) -> bool:
        copy = sending.write(datetime.now(UTC))
        self.did["sent"] += 1
        try:
            async with session.post(sending.url, data=copy.body, headers=copy.headers, allow_redirects=False) as answer:
                return self._acknowledged(answer.status, await answer.content.read(ANSWER_BYTES_MAX))
        except (aiohttp.ClientError, TimeoutError):
            return False
