"""The verdict of a run: the checks that must hold, and whether they do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.demo.after_sales import KINDS
from scripts.demo.benefits_check import BenefitsComparison
from scripts.demo.case_check import CaseComparison
from scripts.demo.day_check import DayComparison
from scripts.demo.group_check import GroupComparison
from scripts.demo.mail_check import MailComparison
from scripts.demo.money_check import DeadLetterComparison, MoneyComparison
from scripts.demo.notified_buyers import MAIL_KINDS, NOT_WANTED
from scripts.demo.statement_check import StatementComparison
from scripts.demo.system_status import SystemStatus

ALL_KINDS_FROM_ORDERS = 1_000
"""Shorter runs may miss a kind by chance."""
TAMPERED = ("forged", "reserialised")


@dataclass(frozen=True)
class Check:
    """One thing that must hold. `examples` say where it does not."""

    name: str
    ok: bool
    detail: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """All data of the summary and the verdict.

    `carriers` is habit -> how often the carriers misbehaved, `waybills` what `compare_waybills` returned.
    """

    final: dict[str, Any]
    status: SystemStatus
    money: MoneyComparison
    dead_letters: DeadLetterComparison
    benefits: BenefitsComparison
    gateways: Mapping[str, Mapping[str, Any]]
    carriers: Mapping[str, int]
    waybills: tuple[int, list[str]]
    cases: CaseComparison
    groups: GroupComparison
    mails: MailComparison
    statements: StatementComparison
    day: DayComparison
    audit: tuple[int, str]
    stuck: tuple[str, ...]
    restarts: dict[str, int]
    seconds: float


def checks(result: RunResult) -> list[Check]:
    """Return all checks. The demo exits with 0 if every one holds."""
    of_buyers = [*_commands(result), *_money(result), *_amounts(result), *_goods(result), *_cases(result)]
    return [*of_buyers, _groups(result), _mails(result), *_dead_letters(result), _day(result), _audit(result)]


def _commands(result: RunResult) -> list[Check]:
    final = result.final
    open_commands, contradictions = final.get("commands_open", -1), final.get("contradictions", [])
    sent = final.get("commands_sent", 0)
    return [
        Check("everything ended", not result.stuck, _count(result.stuck, "stuck"), result.stuck[:10]),
        Check("every command has its outcome", open_commands == 0, f"{sent - max(open_commands, 0):,} of {sent:,}"),
        _none("no command has two outcomes", contradictions),
    ]


def _money(result: RunResult) -> list[Check]:
    money, gateways, found = result.money, result.gateways, result.statements
    written = f"{found.lines:,} lines in {found.files:,} files"
    return [
        _none("what orders keep is what buyers paid", money.differences, money.kept),
        _none("the providers' ledgers agree with ours", money.providers, _movements(gateways)),
        _none("the providers' day statements agree with ours", list(found.differences), written),
        _tampered(gateways, result.final.get("notifications_refused", 0)),
    ]


def _tampered(gateways: Mapping[str, Mapping[str, Any]], refused: int) -> Check:
    """Check that the order system refused every notification that was tampered with.

    Copies that were given up may never have arrived, so they may be missing.
    """
    sent = sum(ledger["habits"].get(habit, 0) for ledger in gateways.values() for habit in TAMPERED)
    lost = sum(ledger["notifications"].get("given up", 0) for ledger in gateways.values())
    name = "every notification that was tampered with is refused"
    unanswered = f", {lost:,} given up without an answer" if refused < sent else ""
    return Check(name, sent - lost <= refused <= sent, f"{refused:,} of {sent:,} refused{unanswered}")


def _amounts(result: RunResult) -> list[Check]:
    final, benefits = result.final, result.benefits
    given, agreed = Counter(final.get("benefits", {})), final.get("agreed", 0)
    coupons = benefits.twice + benefits.coupons
    return [
        _none("orders cost what the checkout computes", final.get("unexpected_answers", []), f"{agreed:,} to the cent"),
        _none("split orders add up", final.get("split_wrongly", []), f"{given['split']:,} into {given['parts']:,}"),
        _none("every coupon is used once at most", coupons, f"{given['coupons_used']:,} used"),
        _none("every point is accounted for", benefits.points, f"{given['points_used']:,} used"),
    ]


def _goods(result: RunResult) -> list[Check]:
    final = result.final
    labels, reads = final.get("labels", {}), sum(final.get("reads", {}).values())
    different, equal = labels.get("unequal", 0), labels.get("equal", 0)
    requests = {name: did.get("requests", 0) for name, did in final.get("warehouses", {}).items()}
    counts = ", ".join(f"{name} {count:,}" for name, count in requests.items())
    name = "every parcel has the address that its buyer gave"
    return [
        Check(name, not different, f"{equal:,} equal, {different:,} not", tuple(labels.get("examples", ()))),
        _none("each warehouse gets its own instructions alone", final.get("misled", []), counts),
        _none("carriers know the parcels that we booked", result.waybills[1], f"{result.waybills[0]:,} parcels"),
        _kinds(final),
        _none("buyers read what they know", final.get("unexpected_reads", []), f"{reads:,} reads"),
    ]


def _cases(result: RunResult) -> list[Check]:
    """Check that each case, its units and its money are where the demo's people left them."""
    found, enough = result.cases, result.final.get("ordered", 0) >= ALL_KINDS_FROM_ORDERS
    absent = [kind for kind in KINDS if kind not in found.kinds] if enough else []
    return [
        _none("units and money of cases are where they should be", found.differences, found.summary),
        Check("every kind of case occurred", not absent, f"{len(found.kinds)} of {len(KINDS)}", tuple(absent)),
    ]


def _groups(result: RunResult) -> Check:
    """Check that no group went on with a part of its orders; in a long run some groups form and some fail."""
    found, enough = result.groups, result.final.get("ordered", 0) >= ALL_KINDS_FROM_ORDERS
    counts = {"formed": found.formed, "failed": found.failed}
    absent = [f"no group {what}" for what, count in counts.items() if enough and not count]
    return _none("each group was all or none", [*found.differences, *absent], found.summary)


def _mails(result: RunResult) -> Check:
    """Check that each event mailed its buyer once, in the right words; a long run has buyers of each wish."""
    found, wishes = result.mails, result.final.get("mails", {})
    enough = result.final.get("ordered", 0) >= ALL_KINDS_FROM_ORDERS
    absent = [f"no mails {kind}" for kind in MAIL_KINDS if not wishes.get(kind)] if enough else []
    detail = f"{found.mails:,} mails, {found.waiting:,} in quiet hours, {wishes.get(NOT_WANTED, 0):,} not wanted"
    return _none("buyers' mails equal the events that caused them", [*found.differences, *absent], detail)


def _kinds(final: Mapping[str, Any]) -> Check:
    """Check that a long run has shown every kind of shipping."""
    kinds, ordered = final.get("kinds", {}), final.get("ordered", 0)
    absent = [kind for kind, count in kinds.items() if not count] if ordered >= ALL_KINDS_FROM_ORDERS else []
    shown = f"{sum(map(bool, kinds.values()))} of {len(kinds)}"
    return Check("every kind of shipping occurred", not absent, shown, tuple(absent))


def _day(result: RunResult) -> Check:
    """Check that the dashboard shows what the demo counted itself."""
    name = "the dashboard shows what the demo counted"
    return _none(name, result.day.differences, f"{result.day.figures} figures")


def _dead_letters(result: RunResult) -> list[Check]:
    found, sent = result.dead_letters, len(result.final.get("malformed_sent", {}))
    wrong = found.missing + found.twice
    came = f"{sent - len(found.missing):,} of {sent:,}"
    return [
        Check("every malformed message is one dead letter", not wrong, came, tuple(wrong[:5])),
        _none("there are no other dead letters", found.unexpected),
    ]


def _audit(result: RunResult) -> Check:
    return Check("the audit is clean", result.audit[0] == 0, f"oms audit exits {result.audit[0]}")


def _none(name: str, found: list[str], detail: str | None = None) -> Check:
    """Check that a list of faults is empty."""
    return Check(name, not found, detail if detail and not found else _count(found, "found"), tuple(found[:5]))


def _movements(gateways: Mapping[str, Mapping[str, Any]]) -> str:
    captures, refunds = (sum(len(one[what]) for one in gateways.values()) for what in ("captures", "refunds"))
    return f"{captures:,} captures, {refunds:,} refunds"


def _count(found: Any, what: str) -> str:
    return f"{len(found)} {what}"
