"""The summary of a run, as tables for people and as JSON for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.demo.verdict import Check, RunResult, checks

UNSHOWN = frozenset({"malformed_sent", "cases", "group_orders"})
"""What the checks need of the client's last report, and nobody reads."""
NOTIFICATIONS = ("sent", "sent again", "given up")


def as_json(result: RunResult) -> str:
    """Return the summary as JSON."""
    found = checks(result)
    return json.dumps(
        {
            "ok": all(check.ok for check in found),
            "checks": [asdict(check) for check in found],
            "orders": result.status.states,
            "dead_letters": result.status.dead,
            "restarts": result.restarts,
            "seconds": round(result.seconds, 1),
            "gateways": {name: did(ledger) for name, ledger in result.gateways.items()},
            "carriers": dict(result.carriers),
            "kept_cents": dict(result.money.kept_cents),
            "client": {name: value for name, value in result.final.items() if name not in UNSHOWN},
            "audit": result.audit[1],
        },
        indent=2,
    )


def print_summary(result: RunResult, console: Console) -> None:
    """Print the summary as tables."""
    final, latency = result.final, result.final.get("latency_all", {})
    print(
        *(row.rstrip() for row in result.audit[1].splitlines()), "", sep="\n"
    )  # rich would cut these lines to its width
    for title, rows in (
        ("orders", result.status.states),
        ("commands and their outcomes", final.get("decided", {})),
        ("refused", final.get("refusals", {})),
        ("what buyers did", final.get("buyers", {})),
        ("how buyers paid", final.get("provider_payments", {})),
        ("how the shop's payment service paid", final.get("service", {})),
        *((f"what the warehouse {name} did", rows) for name, rows in final.get("warehouses", {}).items()),
        ("kinds of shipping", final.get("kinds", {})),
        ("how carriers' service misbehaved", dict(result.carriers)),
        ("what operators did", final.get("operators", {})),
        ("after-sale cases", final.get("after_sales", {})),
        ("groups of buyers", final.get("groups", {})),
        ("what carriers did", final.get("carrier", {})),
        ("mails that events cause", final.get("mails", {})),
        ("mails that came", {"mails": result.mails.mails, "came again": result.mails.copies}),
        ("what buyers read", _reads(final)),
        ("discounts, split, merged", _benefits(final.get("benefits", {}))),
        ("dead letters by reason", result.status.dead),
        ("restarts of processes", result.restarts),
    ):
        console.print(_pairs(title, rows))
    console.print(_matrix("what test gateways did", {name: did(one) for name, one in result.gateways.items()}))
    if latency.get("p50") is not None:
        console.print(f"command to created: p50 {latency['p50'] * 1000:.0f} ms, p99 {latency['p99'] * 1000:.0f} ms")
    console.print(f"{final.get('ordered', 0):,} orders in {result.seconds:.0f} s, the drain included")
    console.print(_checks(checks(result)))


def _reads(final: dict[str, Any]) -> dict[str, str]:
    """Return how many queries buyers sent, and how long the answers took."""
    counts = {name: f"{times:,}" for name, times in final.get("reads", {}).items()}
    latency = final.get("reads_latency", {})
    if latency.get("p50") is None:
        return counts
    return counts | {name: f"{latency[name] * 1000:,.0f} ms" for name in ("p50", "p99")}


def _benefits(gave: dict[str, int]) -> dict[str, str]:
    """Return what was taken off, beside what the data set has, and counts of split and merged orders."""
    amounts = {
        "promotions": "off by promotions",
        "promotions_then": "off by promotions, in the data set",
        "coupons": "off by coupons",
        "coupons_then": "off by coupons, in the data set",
        "points": "off by points",
    }
    counts = {"split": "split orders", "parts": "parts of them", "merged": "merged payments"}
    off = {text: f"{gave.get(f'{name}_cents', 0) / 100:,.2f}" for name, text in amounts.items()}
    return off | {text: f"{gave.get(name, 0):,}" for name, text in counts.items()}


def did(ledger: Mapping[str, Any]) -> dict[str, int]:
    """Return what a gateway captured and refunded, and how often it misbehaved."""
    counts = {"captures": len(ledger["captures"]), "refunds": len(ledger["refunds"]), "unpaid": ledger["unpaid"]}
    return counts | {name: ledger["notifications"].get(name, 0) for name in NOTIFICATIONS} | dict(ledger["habits"])


def _matrix(title: str, columns: Mapping[str, Mapping[str, int]]) -> Table:
    """Return a table with a column of counts for each provider."""
    table = Table("", title=title, title_justify="left", min_width=60)
    for name in columns:
        table.add_column(name, justify="right")
    for name in dict.fromkeys(name for rows in columns.values() for name in rows):
        table.add_row(name, *(f"{rows.get(name, 0):,}" for rows in columns.values()))
    return table


def _pairs(title: str, rows: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, min_width=60)
    table.add_column()
    table.add_column(justify="right")
    for name, count in sorted(rows.items()):
        table.add_row(name, count if isinstance(count, str) else f"{count:,}")
    return table


def _checks(found: list[Check]) -> Table:
    table = Table(title="verdict", title_justify="left", show_header=False, min_width=60)
    for check in found:
        table.add_row("[green]yes[/]" if check.ok else "[red]NO[/]", check.name, check.detail)
        for example in check.examples:
            table.add_row("", "", example)
    return table
