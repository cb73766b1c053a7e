"""Finds which subscriber's queue refused an event, over the management interface of the broker.

A nack says that one of the bound queues refused a message, not which one. The management interface knows which queues
may refuse and which of them are full.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
import structlog
from yarl import URL

from db.pool import Pool
from outbox import metrics
from outbox.doorbell import DATABASE_ERRORS
from outbox.insertion import append, noting_shards
from outbox.refusals import Refusals, refused_by

log = structlog.get_logger(__name__)

LOOK_SECONDS = 10.0  # between two looks; the management interface counts messages every 5 seconds
ALERT_SECONDS = 600.0  # between two alerts about one queue
QUEUES_MAX = 50  # with a label of their own in the metrics; all others share one
TIMEOUT_SECONDS = 10.0
UNKNOWN = "unknown"
REFUSING = ("reject-publish", "reject-publish-dlx")
NO_INTERFACE = "OMS_MANAGEMENT_URL is not set, so the relay cannot find out which queue refused them"
FAILED = "The management interface (OMS_MANAGEMENT_URL) did not answer, so it is unknown which queue refused them"
NOT_FOUND = "No queue that is bound for them refuses anything now"
FOUND = "Raise its limit, or use x-overflow=drop-head. Other subscribers have the events."


class Subscribers:
    """Counts and reports the queues that refuse events. `run` works until it is cancelled."""

    def __init__(self, pool: Pool, refusals: Refusals, *, management_url: str, amqp_url: str, exchange: str) -> None:
        self._pool = pool
        self._refusals = refusals
        self._management_url = management_url
        self._vhost = URL(amqp_url).path.removeprefix("/") or "/"
        self._exchange = exchange
        self._alerted: dict[str, float] = {}

    async def run(self, look_seconds: float = LOOK_SECONDS) -> None:
        """Look each time that events were refused, at most once in `look_seconds`."""
        while True:
            await self._refusals.event_dropped.wait()
            try:
                await self.look()
            except DATABASE_ERRORS as error:
                log.warning("cannot announce an alert", error=type(error).__name__)
            await asyncio.sleep(look_seconds)

    async def look(self) -> None:
        """Find the queues that refused the events since the last look. Count, log and alert."""
        self._refusals.event_dropped.clear()
        dropped = Counter(self._refusals.dropped)
        self._refusals.dropped.clear()
        if not dropped:
            return
        queues, why = await self._find(list(dropped))
        for queue, keys in (queues or {UNKNOWN: tuple(dropped)}).items():
            counts = {key: dropped[key] for key in keys}
            metrics.dropped_events(queue, sum(counts.values()), labels_max=QUEUES_MAX)
            log.warning(
                "a subscriber's queue refuses events, which it will never get", queue=queue, events=counts, why=why
            )
            await self._alert(queue, why, counts)

    async def _alert(self, queue: str, why: str, counts: Mapping[str, int]) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._alerted.get(queue, -ALERT_SECONDS) < ALERT_SECONDS or len(self._alerted) > QUEUES_MAX:
            return
        with noting_shards():
            async with self._pool.acquire() as connection, connection.transaction():
                await append(connection, [refused_by(queue, why, counts)])
        self._alerted[queue] = now

    async def _find(self, keys: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], str]:
        """Queue -> the routing keys that it refused, and what to do; or no queue, and why it is unknown."""
        if not self._management_url:
            return {}, NO_INTERFACE
        vhost, exchange = quote(self._vhost, safe=""), quote(self._exchange, safe="")
        api, headers = _api(self._management_url)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
                bindings = await _get(session, f"{api}/exchanges/{vhost}/{exchange}/bindings/source")
                names = {binding["destination"] for binding in bindings if binding["destination_type"] == "queue"}
                queues = [await _get(session, f"{api}/queues/{vhost}/{quote(name, safe='')}") for name in sorted(names)]
        except (OSError, TimeoutError, aiohttp.ClientError, ValueError) as error:
            log.warning("cannot find the subscriber that refuses events", error=type(error).__name__)
            return {}, FAILED
        found = who_refuses(keys, bindings, queues)
        return found, FOUND if found else NOT_FOUND


def who_refuses(
    keys: Iterable[str], bindings: Sequence[Mapping[str, Any]], queues: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Queue -> those of the routing keys for which it is bound, for the full queues; if none is full, for all that may
    refuse: their counts may be old.
    """
    may_refuse = [queue["name"] for queue in queues if _limit(queue)]
    full = [queue["name"] for queue in queues if _limit(queue) and _is_full(queue)]
    found: dict[str, tuple[str, ...]] = {}
    for name in full or may_refuse:
        patterns = [binding["routing_key"] for binding in bindings if binding["destination"] == name]
        if taken := tuple(key for key in keys if any(matches(pattern, key) for pattern in patterns)):
            found[name] = taken
    return found


def matches(pattern: str, key: str) -> bool:
    """Tell whether a binding of a topic exchange takes a routing key.

    Strangers choose the patterns, so it takes no longer for many `#`.
    """
    parts = pattern.split(".")
    places = _with_skipped(parts, {0})
    for word in key.split("."):
        taking = {place for place in places if place < len(parts) and parts[place] in ("#", "*", word)}
        places = _with_skipped(parts, {place if parts[place] == "#" else place + 1 for place in taking})
    return len(parts) in places


def _with_skipped(parts: Sequence[str], places: set[int]) -> set[int]:
    """Add the places that are reached by taking each `#` for no word."""
    reached = set(places)
    for place in range(len(parts)):
        if place in reached and parts[place] == "#":
            reached.add(place + 1)
    return reached


def _limit(queue: Mapping[str, Any]) -> dict[str, int]:
    """The limits of a queue that refuses messages; empty if it refuses none."""
    policy, arguments = queue.get("effective_policy_definition") or {}, queue.get("arguments") or {}
    if arguments.get("x-overflow", policy.get("overflow")) not in REFUSING:
        return {}
    limits = {name: arguments.get(f"x-{name}", policy.get(name)) for name in ("max-length", "max-length-bytes")}
    return {name: int(limit) for name, limit in limits.items() if limit is not None}


def _is_full(queue: Mapping[str, Any]) -> bool:
    counts = {"max-length": queue.get("messages_ready", 0), "max-length-bytes": queue.get("message_bytes_ready", 0)}
    return any(counts[name] >= limit for name, limit in _limit(queue).items())


def _api(url: str) -> tuple[str, dict[str, str]]:
    """The base of the interface's addresses, and the header with the name and password of the URL."""
    place = URL(url)
    authorization = aiohttp.encode_basic_auth(place.user or "guest", place.password or "guest")
    return f"{str(place.with_user(None)).rstrip('/')}/api", {"Authorization": authorization}


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(URL(url, encoded=True)) as response:
        response.raise_for_status()
        return await response.json()
