"""The end of a run: what must be true, and whether it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.demo.benefits_check import BenefitsComparison
from scripts.demo.money_check import Books, DeadLetterComparison
from scripts.demo.statement_check import StatementComparison
from scripts.demo.system_status import SystemStatus

TAMPERED = ("forged", "reserialised")


@dataclass(frozen=True)
class Check:
    """One thing that must be true; `examples` say where it is not."""

    name: str
    ok: bool
    detail: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """Everything the summary is made of."""

    final: dict[str, Any]
    status: SystemStatus
    books: Books
    messages: DeadLetterComparison
    ledgers: BenefitsComparison
    gateways: Mapping[str, Mapping[str, Any]]
    statements: StatementComparison
    audit: tuple[int, str]
    stuck: tuple[str, ...]
    restarts: dict[str, int]
    seconds: float


def checks(result: RunResult) -> list[Check]:
    """All must hold for exit 0."""
    return [*_commands(result), *_money(result), *_amounts(result), *_letters(result), _audit(result)]


def _commands(result: RunResult) -> list[Check]:
    final = result.final
    open_commands, contradictions = final.get("commands_open", -1), final.get("contradictions", [])
    sent = final.get("commands_sent", 0)
    return [
        Check("everything came to its end", not result.stuck, _count(result.stuck, "stuck"), result.stuck[:10]),
        Check("every command has its outcome", open_commands == 0, f"{sent - max(open_commands, 0):,} of {sent:,}"),
        _none("no command has two outcomes", contradictions),
    ]


def _money(result: RunResult) -> list[Check]:
    books, gateways, found = result.books, result.gateways, result.statements
    written = f"{found.lines:,} lines in {found.files:,} files"
    return [
        _none("what orders keep is what buyers paid", books.differences, books.kept),
        _none("the providers' ledgers have what ours have", books.providers, _movements(gateways)),
        _none("the providers' day statements say the same", list(found.differences), written),
        _forgeries(gateways, result.final.get("disbelieved", 0)),
    ]


def _forgeries(gateways: Mapping[str, Mapping[str, Any]], disbelieved: int) -> Check:
    """Each copy that was tampered with is refused, but for those that did not arrive."""
    sent = sum(ledger["habits"].get(habit, 0) for ledger in gateways.values() for habit in TAMPERED)
    lost = sum(ledger["notifications"].get("given up", 0) for ledger in gateways.values())
    name = "no notification that was tampered with is believed"
    return Check(name, sent - lost <= disbelieved <= sent, f"{disbelieved:,} of {sent:,} refused")


def _amounts(result: RunResult) -> list[Check]:
    final, ledgers = result.final, result.ledgers
    gave, agreed = Counter(final.get("benefits", {})), final.get("agreed", 0)
    coupons = ledgers.twice + ledgers.coupons
    return [
        _none("orders cost what the checkout says", final.get("unexpected_answers", []), f"{agreed:,} to the cent"),
        _none("split orders add up", final.get("split_wrongly", []), f"{gave['split']:,} into {gave['parts']:,}"),
        _none("every coupon is used once at most", coupons, f"{gave['coupons_used']:,} used"),
        _none("every point is accounted for", ledgers.points, f"{gave['points_used']:,} used"),
    ]


def _letters(result: RunResult) -> list[Check]:
    messages, sent = result.messages, len(result.final.get("malformed_messages", {}))
    wrong = messages.missing + messages.twice
    came = f"{sent - len(messages.missing):,} of {sent:,}"
    return [
        Check("every malformed message is one dead message", not wrong, came, tuple(wrong[:5])),
        _none("nothing else died", messages.unexpected),
    ]


def _audit(result: RunResult) -> Check:
    return Check("the audit is clean", result.audit[0] == 0, f"oms audit exits {result.audit[0]}")


def _none(name: str, found: list[str], detail: str | None = None) -> Check:
    """There is none of what must not be."""
    return Check(name, not found, detail if detail and not found else _count(found, "found"), tuple(found[:5]))


def _movements(gateways: Mapping[str, Mapping[str, Any]]) -> str:
    captures, refunds = (sum(len(one[what]) for one in gateways.values()) for what in ("captures", "refunds"))
    return f"{captures:,} captures, {refunds:,} refunds"


def _count(found: Any, what: str) -> str:
    return f"{len(found)} {what}"
