"""Reads from the broker how many messages wait in each queue, and how fast they come and go.

The management interface says the most, and on-call engineers may use it; without its URL the broker is read over AMQP.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from yarl import URL

from outbox import wire
from scripts.commands.broker_readings import queue_counts
from scripts.commands.connections import BrokerSettings, broker_url
from scripts.commands.problems import Code, CommandError
from scripts.servers.management import Management

COLUMNS = (
    "name,messages,messages_unacknowledged,consumers,message_stats.publish_details.rate,message_stats.ack_details.rate"
)


@dataclass(frozen=True)
class QueueReading:
    """One queue. What comes and goes in a second is measured by the broker over its last seconds; AMQP does not say."""

    messages: int
    consumers: int
    unacknowledged: int | None = None
    in_per_second: float | None = None
    out_per_second: float | None = None


@dataclass
class QueueFilling:
    """Remembers since when each queue has not been empty, as far as its readings show."""

    _since: dict[str, float] = field(default_factory=dict)

    def seconds(self, waiting: Mapping[str, int]) -> dict[str, float]:
        """Return for how long each queue in which something waits has been seen so."""
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name, count in waiting.items() if count}
        return {name: now - since for name, since in self._since.items()}


def oldest_wait(waiting: int, handled_per_second: float, filled_seconds: float) -> tuple[float, str]:
    """Return how long the oldest message of a queue has waited, in seconds, and how exact that is.

    No message of a quorum queue says when it came without being taken out. So it is "about" what the depth and the rate
    of handling make of it; without any handling "at least" what was seen; empty if nothing waits.
    """
    if waiting and handled_per_second > 0:
        return waiting / handled_per_second, "about"
    return (filled_seconds, "at least") if waiting else (0.0, "")


async def read_queues(settings: BrokerSettings, names: Iterable[str]) -> dict[str, QueueReading]:
    """Return those of the queues that exist, by name. Raises CommandError, and what connecting raises."""
    wanted = set(names)
    if management := settings.management_url.get_secret_value():
        url = settings.amqp_url.get_secret_value()
        vhost = (URL(url).path.removeprefix("/") if url else "") or "/"
        rows = await asyncio.to_thread(_listed, management, vhost)
        found = {row["name"]: _reading(row) for row in rows if row["name"] in wanted}
        if wanted and not found:
            hint = "OMS_AMQP_URL names the virtual host, OMS_PREFIX begins the names; oms topology declare"
            raise CommandError(Code.NOTHING, f"the virtual host {vhost} has no queue of ours", hint=hint)
        return found
    connection = await wire.connect(broker_url(settings), name="oms")
    try:
        counted = await queue_counts(connection, sorted(wanted))
    finally:
        await wire.close(connection)
    return {name: QueueReading(count.messages, count.consumers) for name, count in counted.items()}


def _listed(management: str, vhost: str) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = Management(management).call(
            "GET", f"/queues/{quote(vhost, safe='')}?columns={COLUMNS}"
        )
    except HTTPError as error:
        why = f"it answers with HTTP {error.code}: the user needs the tag monitoring"
        raise CommandError(Code.REFUSED, "the management interface does not say it to this user", why=why) from error
    except (OSError, ValueError, HTTPException) as error:  # its text can hold parts of the URL
        raise CommandError(
            Code.UNREACHABLE,
            f"the management interface does not answer ({type(error).__name__})",
            hint="check OMS_MANAGEMENT_URL; rabbitmq-diagnostics listeners",
        ) from error
    return rows


def _reading(row: Mapping[str, Any]) -> QueueReading:
    """A queue that the broker has not measured yet has no numbers of messages."""
    stats = row.get("message_stats") or {}
    rates = {name: float((stats.get(f"{name}_details") or {}).get("rate", 0)) for name in ("publish", "ack")}
    return QueueReading(
        messages=row.get("messages") or 0,
        consumers=row.get("consumers") or 0,
        unacknowledged=row.get("messages_unacknowledged") or 0,
        in_per_second=rates["publish"],
        out_per_second=rates["ack"],
    )
