"""The data that the live view shows, in whatever size."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.demo.gateway_process import GatewayProcess
from scripts.demo.processes import ChildProcess
from scripts.demo.system_status import SystemStatus

STATES = (
    "placing",
    "awaiting_payment",
    "paid",
    "fulfilling",
    "cancelling",
    "split",
    "shipped",
    "delivered",
    "delivery_failed",
    "completed",
    "cancelled",
    "rejected",
)
MIB = 1024 * 1024


@dataclass
class ViewData:
    """The data that the live view shows."""

    children: Sequence[ChildProcess | GatewayProcess]
    prefix: str = "oms"
    wanted: int = 0
    started: float = field(default_factory=time.monotonic)
    status: SystemStatus = field(default_factory=SystemStatus)
    client_report: dict[str, Any] = field(default_factory=dict)
    ledgers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    note: str = ""
    second_terminal: str = ""

    @property
    def title(self) -> str:
        """What runs, for how long, and what it does now."""
        seconds = time.monotonic() - self.started
        return f"order management, {seconds:.0f} s, {self.client_report.get('phase', 'starting')}"

    def short_queues(self) -> dict[str, int]:
        """Return the number of messages that wait in each queue, by the name without its prefix."""
        queues = (self.status.queues or {}).items()
        return {name.removeprefix(f"{self.prefix}.").replace("provider-calls", "calls"): n for name, n in queues}

    def kept(self) -> Iterator[tuple[str, str, str, str]]:
        """Return of each provider: its name, captures, the amount less refunds, and refunds."""
        for name, ledger in self.ledgers.items():
            kept = Counter(ledger["captured"])
            kept.subtract(ledger["refunded"])
            text = ", ".join(f"{cents / 100:,.2f} {currency}" for currency, cents in kept.items())
            yield name, f"{len(ledger['captures']):,}", text, f"{len(ledger['refunds']):,}"


def flow(view_data: ViewData) -> list[tuple[str, str]]:
    """Return what flows through the system, as names and values."""
    client_report, counts = view_data.client_report, view_data.status.counts
    latency = client_report.get("latency", {})
    pending = "no answer" if counts is None else f"{counts['outbox_pending']:,.0f}"
    age = "no answer" if counts is None else f"{counts['outbox_age']:.2f} s"
    of = f" of {view_data.wanted:,}" if view_data.wanted else ""
    return [
        ("orders sent", f"{client_report.get('ordered', 0):,}{of}"),
        ("created a second", f"{client_report.get('created_per_second', 0):.1f}"),
        ("command to created p50", milliseconds(latency.get("p50"))),
        ("command to created p99", milliseconds(latency.get("p99"))),
        ("commands without outcome", f"{client_report.get('commands_open', 0):,}"),
        ("outbox pending", pending),
        ("outbox oldest", age),
    ]


def milliseconds(seconds: float | None) -> str:
    """Return a time as text."""
    return "-" if seconds is None else f"{seconds * 1000:,.0f} ms"
