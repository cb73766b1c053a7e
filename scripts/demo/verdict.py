"""The end of a run: what must be true, whether it is, and the summary."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.demo.books import Books, Letters
from scripts.demo.figures import Figures


@dataclass(frozen=True)
class Check:
    """One thing that must be true; `examples` say where it is not."""

    name: str
    ok: bool
    detail: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """Everything the summary is made of."""

    final: dict[str, Any]
    figures: Figures
    books: Books
    letters: Letters
    audit: tuple[int, str]
    stuck: tuple[str, ...]
    restarts: dict[str, int]
    seconds: float


def checks(ending: Ending) -> list[Check]:
    """All must hold for exit 0."""
    final, books, letters = ending.final, ending.books, ending.letters
    open_commands, contradictions = final.get("commands_open", -1), final.get("contradictions", [])
    sent = final.get("commands_sent", 0)
    wrong = letters.missing + letters.twice
    return [
        Check("everything came to its end", not ending.stuck, _count(ending.stuck, "stuck"), ending.stuck[:10]),
        Check("every command has its outcome", open_commands == 0, f"{sent - max(open_commands, 0):,} of {sent:,}"),
        Check(
            "no command has two outcomes", not contradictions, _count(contradictions, "found"), tuple(contradictions)
        ),
        Check(
            "our books and the gateway's agree",
            not books.differences,
            f"both keep {books.kept_cents / 100:,.2f}"
            if not books.differences
            else _count(books.differences, "differ"),
            tuple(books.differences[:5]),
        ),
        Check(
            "every malformed message is one dead letter",
            not wrong,
            f"{len(final.get('vandal', {})) - len(letters.missing):,} of {len(final.get('vandal', {})):,}",
            tuple(wrong[:5]),
        ),
        Check(
            "nothing else died",
            not letters.unexpected,
            _count(letters.unexpected, "found"),
            tuple(letters.unexpected[:5]),
        ),
        Check("the audit is clean", ending.audit[0] == 0, f"oms audit exits {ending.audit[0]}"),
    ]


def _count(found: Any, what: str) -> str:
    return f"{len(found)} {what}"


def as_json(ending: Ending) -> str:
    """The summary for a program."""
    found = checks(ending)
    return json.dumps(
        {
            "ok": all(check.ok for check in found),
            "checks": [asdict(check) for check in found],
            "orders": ending.figures.states,
            "dead_letters": ending.figures.dead,
            "restarts": ending.restarts,
            "seconds": round(ending.seconds, 1),
            "client": {name: value for name, value in ending.final.items() if name != "vandal"},
            "audit": ending.audit[1],
        },
        indent=2,
    )


def print_summary(ending: Ending, console: Console) -> None:
    """The summary for a person."""
    final, latency = ending.final, ending.final.get("latency_all", {})
    print(*(row.rstrip() for row in ending.audit[1].splitlines()), "", sep="\n")  # as wide as it is
    for title, rows in (
        ("orders", ending.figures.states),
        ("commands and their outcomes", final.get("decided", {})),
        ("refused", final.get("refusals", {})),
        ("what buyers did", final.get("buyers", {})),
        ("what the gateway did", final.get("gateway", {})),
        ("what carriers did", final.get("carrier", {})),
        ("dead letters by reason", ending.figures.dead),
        ("processes started again", ending.restarts),
    ):
        console.print(_pairs(title, rows))
    if latency.get("p50") is not None:
        console.print(f"command to created: p50 {latency['p50'] * 1000:.0f} ms, p99 {latency['p99'] * 1000:.0f} ms")
    console.print(f"{final.get('ordered', 0):,} orders in {ending.seconds:.0f} s, the drain included")
    console.print(_checks(checks(ending)))


def _pairs(title: str, rows: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, min_width=60)
    table.add_column()
    table.add_column(justify="right")
    for name, count in sorted(rows.items()):
        table.add_row(name, f"{count:,}")
    return table


def _checks(found: list[Check]) -> Table:
    table = Table(title="verdict", title_justify="left", show_header=False, min_width=60)
    for check in found:
        table.add_row("[green]yes[/]" if check.ok else "[red]NO[/]", check.name, check.detail)
        for example in check.examples:
            table.add_row("", "", example)
    return table
