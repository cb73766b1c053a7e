"""What may be claimed in a case, for how long, and how much money goes back for it (S0-15 to S0-18, R-08).

An order keeps the rules under which it was placed. Units are given back once over all cases, lost parcels, shortages
and cancellations together; money never above what is left of the capture.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from workers.domain.after_sale_policy import AfterSaleRules, OnUnreviewed
from workers.domain.after_sales import (
    AfterSaleCase,
    CaseLine,
    CaseState,
    CaseTrigger,
    CaseType,
)
from workers.domain.codes import Code
from workers.domain.order import IN_WAREHOUSE, Order, State
from workers.domain.refund_amounts import BoughtLine, RefundLine, refund_units, remaining_units
from workers.domain.refusal import Refusal
from workers.domain.shipping import Parcel

EVIDENCE_MAX = 9
"""References per case: as many photos as the shops of the source documents take."""
EVIDENCE_CHARS_MAX = 512
LOST = "lost"
"""The disposition of units that never arrived at the warehouse."""
CLAIMABLE = IN_WAREHOUSE | {State.SHIPPED, State.DELIVERED, State.COMPLETED}
"""The states of an order of which units may have left for the buyer."""


def claimable(lines: Sequence[BoughtLine], parcels: Sequence[Parcel], cases: Iterable[AfterSaleCase]) -> dict[int, int]:
    """Line number -> the units that a new case may name.

    They have left for the buyer in a parcel that did not fail, they have not been given back, and no case claims them.
    """
    sent: dict[int, int] = {}
    for parcel in parcels:
        for line_no, qty in parcel.units.items() if parcel.out and not parcel.given_up else ():
            sent[line_no] = sent.get(line_no, 0) + qty
    known, left = list(cases), remaining_units(lines)
    free = {}
    for line in lines:
        claimed = sum(case.claims(line.line_no) for case in known)
        given = sum(part.refunded_qty for case in known for part in case.lines if part.line_no == line.line_no)
        free[line.line_no] = max(0, min(sent.get(line.line_no, 0) - claimed, left[line.line_no] - (claimed - given)))
    return free


def unclaimable(order: Order, rules: AfterSaleRules, now: datetime, *, by_buyer: bool) -> Refusal | None:
    """Return why no case of this order can be opened now, or None. Customer service may do so after the window."""
    details = {"order_id": str(order.id), "state": order.state.value}
    if order.state is State.SPLIT:
        return Refusal(Code.ORDER_STATE_INVALID, "name one of the orders that it was split into", details)
    if order.state not in CLAIMABLE:
        why = f"nothing of an order that is {order.state} can be with its buyer"
        return Refusal(Code.ORDER_STATE_INVALID, why, details)
    if by_buyer and order.completed_at is not None:
        until = order.completed_at + timedelta(seconds=rules.window_seconds)
        if now > until:
            why = f"its window ended at {until.isoformat(timespec='seconds')}"
            return Refusal(Code.AFTERSALE_WINDOW_CLOSED, why, details)
    return None


def wrong_reason(reason_code: str, evidence: Sequence[str], rules: AfterSaleRules) -> Refusal | None:
    """Return what is wrong with the reason or the evidence of a case, or None."""
    if reason_code not in rules.reasons:
        details: dict[str, object] = {"reason_code": reason_code, "reasons": sorted(rules.reasons)}
        return Refusal(Code.AFTERSALE_REASON_INVALID, f"use one of: {', '.join(sorted(rules.reasons))}", details)
    if len(evidence) > EVIDENCE_MAX or any(len(one) > EVIDENCE_CHARS_MAX for one in evidence):
        why = f"at most {EVIDENCE_MAX} references of {EVIDENCE_CHARS_MAX} characters: the shop keeps the files"
        return Refusal(Code.AFTERSALE_EVIDENCE_INVALID, why)
    return None


def pick_lines(
    kind: CaseType, wanted: Sequence[tuple[int, int, str | None]], lines: Sequence[BoughtLine], free: Mapping[int, int]
) -> tuple[CaseLine, ...] | Refusal:
    """Return the lines of a new case from (line number, units, wanted SKU), all that is free without any, or why not.

    A line that is named twice is refused, because it is not clear what the buyer means.
    """
    if not wanted and kind is not CaseType.EXCHANGE:
        wanted = [(line.line_no, free[line.line_no], None) for line in lines if free[line.line_no]]
        if not wanted:
            return Refusal(Code.AFTERSALE_QTY_EXCEEDS, "no unit of it is with its buyer without a case")
    numbers = [line_no for line_no, _, _ in wanted]
    if not wanted or len(set(numbers)) < len(numbers):
        why = "name each line once" if wanted else "an exchange names its lines, each with a wanted_sku_id"
        return Refusal(Code.AFTERSALE_LINE_INVALID, why)
    for line_no, qty, sku_id in wanted:
        if line_no not in free:
            details = {"line_no": line_no, "lines": sorted(free)}
            return Refusal(Code.AFTERSALE_LINE_INVALID, f"the order has no line {line_no}", details)
        if not 1 <= qty <= free[line_no]:
            details = {"line_no": line_no, "requested": qty, "left": free[line_no]}
            why = f"{free[line_no]} units of line {line_no} are with the buyer without a case"
            return Refusal(Code.AFTERSALE_QTY_EXCEEDS, why, details)
        if (sku_id is not None) is not (kind is CaseType.EXCHANGE):
            why = "an exchange names a wanted_sku_id for each line, and no other case does"
            return Refusal(Code.AFTERSALE_LINE_INVALID, why, {"line_no": line_no})
    return tuple(CaseLine(line_no, qty, wanted_sku_id=sku_id) for line_no, qty, sku_id in sorted(wanted))


def to_refund(case: AfterSaleCase, lines: Sequence[BoughtLine]) -> dict[int, int]:
    """Line number -> the units for which the case gives money now: the accepted ones, or all if none come back.

    Units that went back otherwise meanwhile are left out.
    """
    left = remaining_units(lines)
    units = {}
    for part in case.lines:
        due = part.qty if case.type is CaseType.REFUND_ONLY else part.accepted_qty
        units[part.line_no] = max(0, min(due - part.refunded_qty, left[part.line_no]))
    return units


def refund_parts(case: AfterSaleCase, lines: Sequence[BoughtLine], units: Mapping[int, int]) -> list[RefundLine]:
    """The money for these units. If the merchant is at fault, the shipping of the units goes back with them."""
    return refund_units(lines, units, with_shipping=case.merchant_fault)


def amount_granted(case: AfterSaleCase, computed: int) -> int:
    """What the case gives for its units: what the reviewer granted, else what was computed.

    After a partial inspection a granted amount only lowers what was computed for the accepted units.
    """
    granted = computed if case.granted_amount is None else case.granted_amount
    if case.state is CaseState.INSPECT_PASSED and any(part.refused_qty for part in case.lines):
        return min(granted, computed)
    return granted


def amount_due(case: AfterSaleCase, computed: int, left: int) -> int:
    """What the case gives back: what was granted or computed, and never more than is left."""
    return min(amount_granted(case, computed), left)


def expected_amount(case: AfterSaleCase, lines: Sequence[BoughtLine], left: int) -> int:
    """What would go back if every unit of the case were given back now."""
    remaining = remaining_units(lines)
    units = {part.line_no: min(part.qty - part.refunded_qty, remaining[part.line_no]) for part in case.lines}
    return amount_due(case, sum(part.amount for part in refund_parts(case, lines, units)), left)


def refuse_step(case: AfterSaleCase, trigger: CaseTrigger) -> Refusal | None:
    """Return why the case cannot take this step now, or None."""
    if case.allows(trigger):
        return None
    details = {"case_id": str(case.id), "state": case.state.value, "type": case.type.value}
    if trigger in (CaseTrigger.APPROVED, CaseTrigger.REJECTED) and case.processed_at is not None:
        return Refusal(Code.AFTERSALE_ALREADY_REVIEWED, f"it was reviewed, and is {case.state}", details)
    if trigger is CaseTrigger.REVOKED:
        return Refusal(Code.AFTERSALE_CANNOT_REVOKE, f"a case that is {case.state} cannot be cancelled", details)
    why = f"a case of type {case.type} that is {case.state} does not allow this"
    return Refusal(Code.AFTERSALE_STATE_INVALID, why, details)


def refuse_inspection(case: AfterSaleCase, found: Sequence[tuple[int, int, str]], *, operator: bool) -> Refusal | None:
    """Return why a report of (line number, units, disposition) is refused in the case's state, or None.

    Goods that are on their way back can only be lost, all together, and it is an operator who says so.
    """
    if case.state is not CaseState.RETURN_IN_TRANSIT:
        return refuse_step(case, CaseTrigger.INSPECTION_PASSED)
    lost = all(disposition == LOST for *_, disposition in found)
    if operator and lost and sum(qty for _, qty, _ in found) == sum(part.qty for part in case.lines):
        return None
    why = "its goods have not arrived: if they never will, an operator reports all of them as lost"
    return Refusal(Code.AFTERSALE_STATE_INVALID, why, {"case_id": str(case.id), "state": case.state.value})


def nothing_left(case: AfterSaleCase, lines: Sequence[BoughtLine]) -> bool:
    """True if every unit of the case went back otherwise, so that it has nothing to give."""
    left = remaining_units(lines)
    return not any(min(part.qty - part.refunded_qty, left[part.line_no]) for part in case.lines)


def inspect(
    case: AfterSaleCase, found: Sequence[tuple[int, int, bool]]
) -> tuple[tuple[CaseLine, ...], CaseTrigger] | Refusal:
    """Count inspected units: (line number, units, whether they are accepted).

    Returns the lines after that and the step that the case takes, or why the report is refused.
    """
    after = {part.line_no: part for part in case.lines}
    for line_no, qty, accepted in found:
        part = after.get(line_no)
        if part is None:
            details = {"line_no": line_no, "lines": sorted(after)}
            return Refusal(Code.AFTERSALE_LINE_INVALID, f"the case has no line {line_no}", details)
        if qty > part.uninspected:
            details = {"line_no": line_no, "reported": qty, "left": part.uninspected}
            why = f"{part.uninspected} units of line {line_no} are not inspected yet"
            return Refusal(Code.AFTERSALE_QTY_EXCEEDS, why, details)
        after[line_no] = replace(
            part,
            accepted_qty=part.accepted_qty + (qty if accepted else 0),
            refused_qty=part.refused_qty + (0 if accepted else qty),
        )
    lines = tuple(after[part.line_no] for part in case.lines)
    if any(part.uninspected for part in lines):
        return lines, CaseTrigger.INSPECTION_BEGAN
    passed = any(part.accepted_qty for part in lines)
    return lines, CaseTrigger.INSPECTION_PASSED if passed else CaseTrigger.INSPECTION_FAILED


def all_back(lines: Sequence[BoughtLine], left: int) -> bool:
    """True if every unit of the order and all of its money went back."""
    return not left and not any(remaining_units(lines).values())


WAITING: Mapping[CaseState, str] = {
    CaseState.REQUESTED: "review_seconds",
    CaseState.REOPENED: "review_seconds",
    CaseState.AWAITING_RETURN: "return_seconds",
    CaseState.RETURN_IN_TRANSIT: "return_seconds",
    CaseState.RECEIVED: "review_seconds",
    CaseState.INSPECTING: "review_seconds",
    CaseState.INSPECT_FAILED: "review_seconds",
    CaseState.REFUND_FAILED: "review_seconds",
}
"""The states in which a case waits for a person or a carrier -> the rule for how long."""
SENDING_BACK = "review_seconds"
"""The rule for how long goods of a case may wait for the warehouse that is to send them back to the buyer."""


def becomes_when_due(state: CaseState, rules: AfterSaleRules) -> CaseState | None:
    """The state of a case whose time is over in this one; None if people are alerted and it goes on waiting."""
    if state is CaseState.REQUESTED:
        by_policy = {OnUnreviewed.APPROVE: CaseState.APPROVED, OnUnreviewed.REJECT: CaseState.REJECTED}
        return by_policy.get(rules.on_unreviewed)
    return {CaseState.REOPENED: CaseState.REJECTED, CaseState.AWAITING_RETURN: CaseState.CLOSED}.get(state)


def due_at(state: CaseState, rules: AfterSaleRules, since: datetime, *, sends_back: bool = False) -> datetime | None:
    """When a state that a case reached then is overdue, or None.

    In a state without a time of its own the goods have one that are to go back to the buyer (`sends_back`).
    """
    rule = WAITING.get(state, SENDING_BACK if sends_back else None)
    return None if rule is None else since + timedelta(seconds=getattr(rules, rule))
