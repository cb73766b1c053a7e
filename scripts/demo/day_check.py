"""Check of the dashboard: its figures against what the demo counts in the events that a storefront receives."""

import json
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

from scripts.amqp_client import ReceivedMessage
from scripts.demo.wanted_goods import is_replacement

COUNTS = ("total_orders", "paid_orders", "cancelled_orders", "timeout_count", "exception_count")
TIMER = "timer.due.v1"
STOPPED_BY_TIMERS = {
    ("rejected", "placing"),
    ("cancelled", "awaiting_payment"),
    ("cancelled", "reinstating"),
}
"""(state, state before it) of the steps that a timer may cause because the time for something was over."""


class DayCount:
    """Counts orders and refused commands.

    Parts of a split order count with their parent, exchange orders not at all. A command that nobody can read is none.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.paid: dict[str, list[int]] = {}
        self._replacements: set[str] = set()
        self._refused: list[str] = []

    def receive(self, received: ReceivedMessage) -> None:
        """Count an event."""
        type_, body = received.type, received.body
        if type_ == "command.rejected.v1" or (type_ == "order.rejected.v1" and _is_ordered(body)):
            self._refused.append(received.correlation_id)
        if type_ == "order.created.v1" and is_replacement(body):
            self._replacements.add(body["order_id"])
        if type_.startswith("order.") and body["state"] != body["previous"] and not self._is_replacement(body):
            self._count_goods(body)
            if body["parent_id"] is None:
                self._count_order(body)

    def figures(self, malformed: Container[str]) -> dict[str, Any]:
        """Return the figures, with the names of dashboard.shown; a rate has four digits after the point.

        `malformed` are the correlation ids of the messages that nobody can read.
        """
        counts = self.counts
        counts["exception_count"] = sum(one not in malformed for one in self._refused)
        return {name: counts[name] for name in COUNTS} | {
            "pay_success_rate": _rate(counts["paid_orders"], counts["unpaid"]),
            "fulfil_success_rate": _rate(counts["fulfilled"], counts["unfulfilled"]),
            "total_amount": {currency: sum(amounts) for currency, amounts in sorted(self.paid.items())},
            "average_amount": {currency: _average(amounts) for currency, amounts in sorted(self.paid.items())},
        }

    def _is_replacement(self, body: Mapping[str, Any]) -> bool:
        return body["order_id"] in self._replacements or body["parent_id"] in self._replacements

    def _count_order(self, body: Mapping[str, Any]) -> None:
        step = body["state"], body["previous"]
        match step:
            case "awaiting_payment", "placing":
                self.counts["total_orders"] += 1
            case "paid", "awaiting_payment":
                self.counts["paid_orders"] += 1
                self.paid.setdefault(body["amounts"]["currency"], []).append(body["amounts"]["payable"])
            case "cancelled", before if before != "reinstating":
                self.counts["cancelled_orders"] += 1
                self.counts["unpaid"] += before == "awaiting_payment"
        self.counts["timeout_count"] += step in STOPPED_BY_TIMERS and body["cause"]["type"] == TIMER

    def _count_goods(self, body: Mapping[str, Any]) -> None:
        match body["state"], body["previous"]:
            case ("delivered", _) | ("completed", "shipped"):
                self.counts["fulfilled"] += 1
            case "delivery_failed", _:
                self.counts["unfulfilled"] += 1
            case "cancelled", _ if body["cancel_type"] == "merchant":
                self.counts["unfulfilled"] += 1


@dataclass(frozen=True)
class DayComparison:
    """The figures that differ, and how many were compared."""

    figures: int
    differences: list[str]


def compare_stats(final: Mapping[str, Any], stats: CompletedProcess[str]) -> DayComparison:
    """Compare the client's last report with what `oms stats -o json` wrote. Without one of them all figures differ."""
    if stats.returncode:
        return DayComparison(0, [f"oms stats: {stats.stderr.strip()}"])
    if "day" not in final:
        return DayComparison(0, ["the client has sent no last report"])
    return compare_day(final["day"], json.loads(stats.stdout))


def compare_day(counted: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> DayComparison:
    """Compare what was counted with dashboard.shown of today and of the day before: a run may pass midnight.

    Rates and averages cannot be added up, so they are compared unless orders were placed on both days.
    """
    today, before = days[0], days[1]
    found = {name: today[name] + before[name] for name in COUNTS}
    amounts = Counter[str]()
    for day in days[:2]:
        amounts.update({one["total_amount"]["currency"]: one["total_amount"]["minor"] for one in day["by_currency"]})
    found["total_amount"] = dict(sorted(amounts.items()))
    if not before["total_orders"]:
        found |= {name: today[name] for name in ("pay_success_rate", "fulfil_success_rate")}
        found["average_amount"] = {
            one["average_amount"]["currency"]: one["average_amount"]["minor"] for one in today["by_currency"]
        }
    wrong = [
        f"{name}: shown {shown}, counted {counted[name]}" for name, shown in found.items() if counted[name] != shown
    ]
    return DayComparison(len(found), wrong)


def _is_ordered(rejected: Mapping[str, Any]) -> bool:
    """Tell whether a buyer ordered this: not a part of a split order, and not an exchange order."""
    return rejected["parent_id"] is None and not is_replacement(rejected)


def _rate(good: int, bad: int) -> str | None:
    if not good + bad:
        return None
    digits = (2 * 10_000 * good + good + bad) // (2 * (good + bad))  # half up
    return f"{digits // 10_000}.{digits % 10_000:04d}"


def _average(amounts: Sequence[int]) -> int:
    """Return the average, rounded half up."""
    return (2 * sum(amounts) + len(amounts)) // (2 * len(amounts))
