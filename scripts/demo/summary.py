"""The summary of a run, for a person and for a program."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.demo.verdict import Check, RunResult, checks

NOTIFICATIONS = ("sent", "sent again", "given up")


def as_json(result: RunResult) -> str:
    """The summary for a program."""
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
            "kept_cents": dict(result.books.kept_cents),
            "client": {name: value for name, value in result.final.items() if name != "malformed_messages"},
            "audit": result.audit[1],
        },
        indent=2,
    )


def print_summary(result: RunResult, console: Console) -> None:
    """The summary for a person."""
    final, latency = result.final, result.final.get("latency_all", {})
    print(*(row.rstrip() for row in result.audit[1].splitlines()), "", sep="\n")  # as wide as it is
    for title, rows in (
        ("orders", result.status.states),
        ("commands and their outcomes", final.get("decided", {})),
        ("refused", final.get("refusals", {})),
        ("what buyers did", final.get("buyers", {})),
        ("how buyers paid", final.get("provider_payments", {})),
        ("what the shop's payment service did", final.get("service", {})),
        ("what carriers did", final.get("carrier", {})),
        ("split, merged, taken off", _benefits(final.get("benefits", {}))),
        ("dead messages by reason", result.status.dead),
        ("processes started again", result.restarts),
    ):
        console.print(_pairs(title, rows))
    console.print(_matrix("what providers did", {name: did(one) for name, one in result.gateways.items()}))
    if latency.get("p50") is not None:
        console.print(f"command to created: p50 {latency['p50'] * 1000:.0f} ms, p99 {latency['p99'] * 1000:.0f} ms")
    console.print(f"{final.get('ordered', 0):,} orders in {result.seconds:.0f} s, the drain included")
    console.print(_checks(checks(result)))


def _benefits(gave: dict[str, int]) -> dict[str, str]:
    """Cents that were taken off as amounts, beside what the data set has of them."""
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
    """What a gateway took and gave back, and how it misbehaved."""
    counts = {"captures": len(ledger["captures"]), "refunds": len(ledger["refunds"]), "unpaid": ledger["unpaid"]}
    return counts | {name: ledger["notifications"].get(name, 0) for name in NOTIFICATIONS} | dict(ledger["habits"])


def _matrix(title: str, columns: Mapping[str, Mapping[str, int]]) -> Table:
    """A column of counts for each."""
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
