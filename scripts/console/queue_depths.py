"""Reads from the broker how many messages wait in which queue, and for how many consumers.

How long the oldest message has waited is a guess (`oldest_wait`), for which this console remembers when queues fill.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr
from yarl import URL

from messages.topology import TAKEN, Names, Topology, messages_of
from outbox import wire
from scripts.commands.broker_readings import SET_URL, queue_counts
from scripts.commands.connections import BrokerSettings, broker_url
from scripts.commands.problems import Code, CommandError
from scripts.commands.queue_readings import QueueFilling, oldest_wait
from scripts.commands.topology import wanted_topology
from scripts.servers.management import Management

COLUMNS = "name,messages_ready,messages_unacknowledged,consumers,message_stats.ack_details.rate"
SERVED = frozenset(name for name in TAKEN if messages_of(name) and not name.startswith("provider-calls."))
"""The queues that need a worker in every shop. Those of calls need one where the shop has the provider."""
ANSWER_SECONDS = 3.0  # the overview waits behind it, and so does Ctrl-C


class ConsoleSettings(BrokerSettings):
    """The settings of the console, which needs no broker."""

    amqp_url: SecretStr = SecretStr("")


@dataclass(frozen=True)
class QueueDepth:
    """How a queue stands. `dead` counts the messages in its dead-letter queue that no worker has taken in yet."""

    name: str
    ready: int
    under_way: int
    consumers: int
    dead: int
    handled_per_second: float = 0.0
    filled_seconds: float = 0.0
    """How long this console has seen it not empty."""

    @property
    def unserved(self) -> bool:
        """True if nothing consumes a queue that every shop needs a worker for."""
        return not self.consumers and self.name in SERVED

    @property
    def in_use(self) -> bool:
        """True if something waits there, other than for its time to pass."""
        return bool(self.ready or self.under_way or self.dead) and not self.name.startswith("delay.")

    @property
    def oldest(self) -> tuple[float, str]:
        """How long the oldest message has waited, in seconds, and how exact that is: "about" or "at least"."""
        return oldest_wait(self.ready + self.under_way, self.handled_per_second, self.filled_seconds)


@dataclass
class QueueWatch:
    """Remembers since when each queue has not been empty."""

    _filling: QueueFilling = field(default_factory=QueueFilling)

    async def read(self) -> Sequence[QueueDepth]:
        """Return the queues, the deepest first. Raises CommandError if no URL is given, or what connecting raises."""
        settings = ConsoleSettings()
        settings.require_cell()
        return self._depths(settings.names, wanted_topology(settings), await _read_rows(settings))

    def _depths(self, names: Names, wanted: Topology, rows: Mapping[str, Mapping[str, Any]]) -> list[QueueDepth]:
        counts = {name: row["messages_ready"] + row["messages_unacknowledged"] for name, row in rows.items()}
        filled = self._filling.seconds(counts)
        found = [
            QueueDepth(
                name=one.name.removeprefix(f"{names.prefix}."),
                ready=row["messages_ready"],
                under_way=row["messages_unacknowledged"],
                consumers=row.get("consumers", 0),
                dead=rows.get(f"{one.name}.dlq", {}).get("messages_ready", 0),
                handled_per_second=_rate(row),
                filled_seconds=filled.get(one.name, 0.0),
            )
            for one in wanted.queues
            if (row := rows.get(one.name)) is not None and not one.name.endswith(".dlq")
        ]
        return sorted(found, key=lambda one: (-(one.ready + one.under_way + one.dead), one.name))


def _rate(row: Mapping[str, Any]) -> float:
    """Return the acknowledged messages a second; the interface writes an empty list where nothing ever was."""
    stats = row.get("message_stats") or {}
    return float((stats.get("ack_details") or {}).get("rate", 0.0))


async def _read_rows(settings: ConsoleSettings) -> Mapping[str, Mapping[str, Any]]:
    """Return each queue by name with the columns of the management interface, also where only AMQP is to be had."""
    management, amqp = settings.management_url.get_secret_value(), settings.amqp_url.get_secret_value()
    if management:
        vhost = URL(amqp).path.removeprefix("/") if amqp else ""
        return await asyncio.to_thread(_ask, management, vhost or "/")
    if not amqp:
        raise CommandError(Code.FAILED, "the broker is not looked at", why="its URL is not known", hint=SET_URL)
    connection = await wire.connect(broker_url(settings), name="oms console")
    try:
        found = await queue_counts(connection, [one.name for one in wanted_topology(settings).queues])
    finally:
        await wire.close(connection)
    return {
        name: {"messages_ready": one.messages, "messages_unacknowledged": 0, "consumers": one.consumers}
        for name, one in found.items()
    }


def _ask(url: str, vhost: str) -> dict[str, Mapping[str, Any]]:
    try:
        path = f"/queues/{quote(vhost, safe='')}?columns={COLUMNS}"
        rows = Management(url).call("GET", path, timeout_seconds=ANSWER_SECONDS)
    except (OSError, ValueError, HTTPException) as error:
        # Only the kind: the text of such an error can hold parts of the URL, and so of its password.
        why = f"its management interface does not answer ({type(error).__name__})"
        raise CommandError(Code.UNREACHABLE, "the broker is not looked at", why=why, hint=SET_URL) from None
    return {row["name"]: row for row in rows if "messages_ready" in row}
