"""The end of a run: what must be true, whether it is, and the summary."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.demo.books import Books, Letters
from scripts.demo.figures import Figures
from scripts.demo.ledgers import Ledgers

NOTIFICATIONS = ("sent", "sent again", "given up")


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
    ledgers: Ledgers
    gateways: Mapping[str, Mapping[str, Any]]
    audit: tuple[int, str]
    stuck: tuple[str, ...]
    restarts: dict[str, int]
    seconds: float


def checks(ending: Ending) -> list[Check]:
    """All must hold for exit 0."""
    return [*_commands(ending), *_amounts(ending), *_letters(ending), _audit(ending)]


def _commands(ending: Ending) -> list[Check]:
    final = ending.final
    open_commands, contradictions = final.get("commands_open", -1), final.get("contradictions", [])
    sent = final.get("commands_sent", 0)
    return [
        Check("everything came to its end", not ending.stuck, _count(ending.stuck, "stuck"), ending.stuck[:10]),
        Check("every command has its outcome", open_commands == 0, f"{sent - max(open_commands, 0):,} of {sent:,}"),
        _none("no command has two outcomes", contradictions),
    ]


def _amounts(ending: Ending) -> list[Check]:
    final, books, ledgers = ending.final, ending.books, ending.ledgers
    gave, agreed = Counter(final.get("benefits", {})), final.get("agreed", 0)
    coupons = ledgers.twice + ledgers.coupons
    return [
        _none("our books and the buyers' receipts agree", books.differences, f"both keep {books.kept}"),
        _none("the channels' ledgers have what ours have", books.channels, _movements(ending.gateways)),
        _none("orders cost what the checkout says", final.get("surprises", []), f"{agreed:,} to the cent"),
        _none("split orders add up", final.get("split_wrongly", []), f"{gave['split']:,} into {gave['parts']:,}"),
        _none("every coupon is used once at most", coupons, f"{gave['coupons_used']:,} used"),
        _none("every point is accounted for", ledgers.points, f"{gave['points_used']:,} used"),
    ]


def _letters(ending: Ending) -> list[Check]:
    letters, sent = ending.letters, len(ending.final.get("vandal", {}))
    wrong = letters.missing + letters.twice
    came = f"{sent - len(letters.missing):,} of {sent:,}"
    return [
        Check("every malformed message is one dead letter", not wrong, came, tuple(wrong[:5])),
        _none("nothing else died", letters.unexpected),
    ]


def _audit(ending: Ending) -> Check:
    return Check("the audit is clean", ending.audit[0] == 0, f"oms audit exits {ending.audit[0]}")


def _none(name: str, found: list[str], detail: str | None = None) -> Check:
    """There is none of what must not be."""
    return Check(name, not found, detail if detail and not found else _count(found, "found"), tuple(found[:5]))


def _movements(gateways: Mapping[str, Mapping[str, Any]]) -> str:
    captures, refunds = (sum(len(one[what]) for one in gateways.values()) for what in ("captures", "refunds"))
    return f"{captures:,} captures, {refunds:,} refunds"


def did(ledger: Mapping[str, Any]) -> dict[str, int]:
    """What a gateway took and gave back, and how it misbehaved."""
    counts = {"captures": len(ledger["captures"]), "refunds": len(ledger["refunds"]), "unpaid": ledger["unpaid"]}
    return counts | {name: ledger["notifications"].get(name, 0) for name in NOTIFICATIONS} | dict(ledger["habits"])


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
            "gateways": {name: did(ledger) for name, ledger in ending.gateways.items()},
            "kept_cents": dict(ending.books.kept_cents),
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
        ("how buyers paid", final.get("payers", {})),
        ("what the shop's payment service did", final.get("service", {})),
        *((f"what {name} did", did(ledger)) for name, ledger in ending.gateways.items()),
        ("what carriers did", final.get("carrier", {})),
        ("split, merged, taken off", _benefits(final.get("benefits", {}))),
        ("dead letters by reason", ending.figures.dead),
        ("processes started again", ending.restarts),
    ):
        console.print(_pairs(title, rows))
    if latency.get("p50") is not None:
        console.print(f"command to created: p50 {latency['p50'] * 1000:.0f} ms, p99 {latency['p99'] * 1000:.0f} ms")
    console.print(f"{final.get('ordered', 0):,} orders in {ending.seconds:.0f} s, the drain included")
    console.print(_checks(checks(ending)))


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
