"""The screens of `oms cases`: a list, and how one case stands, what it is about, its money, and its steps."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from messages.after_sale_queries import CaseShown, CaseStepShown, CaseSummary
from scripts.commands.output import counted
from scripts.screens.layout import NUMBER_COLUMNS, Column, Lines, TitledTable, fields, grid, title
from scripts.screens.timeline import ago, sent_instead, text_of, until, when

CASE_MEANINGS = {
    "requested": "the seller has to review it (after_sale.review)",
    "reopened": "the seller has to review it once more (after_sale.review)",
    "approved": "the seller agreed",
    "rejected": "it ended: the seller did not agree; it can be reopened (after_sale.reopen)",
    "revoked": "it ended: the buyer does not want it any more",
    "awaiting_return": "the buyer has to send the goods back (after_sale.ship_back)",
    "return_in_transit": "the goods are on their way back",
    "received": "the goods are back, and a warehouse has to inspect them (after_sale.inspect)",
    "inspecting": "a warehouse inspects the goods (after_sale.inspect)",
    "inspect_passed": "the goods were accepted, and other goods are to follow",
    "inspect_failed": "the goods were refused, and an operator has to decide (after_sale.review)",
    "reshipping": "other goods are on their way to the buyer",
    "refunding": "the money is on its way back",
    "refund_failed": "the refund failed: an operator requests it again (refund.request) or closes the case",
    "completed": "it ended as the buyer wanted",
    "closed": "it ended without what the buyer wanted",
    "unreturned": "it ended: the buyer has other goods and owes the money of those that did not come back; close it "
    "once that is paid or given up (after_sale.close)",
}


def cases_screen(cases: Sequence[CaseSummary], width: int) -> Lines:
    """Return the list of `oms cases list`; nothing without a case."""
    table = cases_table(cases, width)
    return grid(table.columns, table.rows, width).lines if cases else []


def cases_table(cases: Sequence[CaseSummary], width: int) -> TitledTable:
    """Return a row for each case."""
    columns = [
        Column("case"),
        Column("state", least=10),
        Column("type", least=8, extra=True),
        Column("requested (UTC)", extra=True),
        Column("order", least=NUMBER_COLUMNS),
        Column("exchange order", least=NUMBER_COLUMNS),
        Column("user", least=8, extra=True),
        Column("units", right=True, extra=True),
        Column("amount", right=True, extra=True),
        Column("reason", least=8, extra=True),
    ]
    rows = [
        (one.case_no, one.state, one.type, when(one.requested_at, width), one.order_no or one.order_id,
         sent_instead(one.exchange), one.user_id, one.units, None if one.amount is None else text_of(one.amount),
         one.reason_code)
        for one in cases
    ]  # fmt: skip
    return TitledTable("cases", columns, rows)


def case_screen(case: CaseShown, now: datetime, width: int) -> Lines:
    """Return the whole screen."""
    return [
        *title(f"Case {case.case_no}: {case.type}, {case.state}", width),
        *fields(list(case_summary(case, now)), width),
        *(line for table in case_tables(case, width) for line in table.lines(width)),
    ]


def case_tables(case: CaseShown, width: int) -> list[TitledTable]:
    """Return the tables of a case, in the order in which they are read."""
    return [_lines(case), _refunds(case, width), _steps(case, width)]


def case_summary(case: CaseShown, now: datetime) -> Iterator[tuple[str, Any]]:
    """Yield what a person has to know of a case, line by line; lines without a value are left out."""
    yield "means", CASE_MEANINGS.get(case.state)
    yield "since", ago(case.steps[-1].at, now) if case.steps else None
    yield "until", None if case.until is None else until(case.until, now)
    yield "id", case.case_id
    yield "order", f"{case.order_no or case.order_id}: oms order show {case.order_id}"
    if (one := case.exchange) is not None:
        yield "exchange", f"order {sent_instead(one)}: oms order show {one.order_id}"
    yield "buyer", case.user_id
    yield "reason", f"{case.reason_code}, by {case.source}{', the merchant is at fault' if case.merchant_fault else ''}"
    for name, amount in (
        ("would give", case.expected),
        ("granted", case.granted),
        ("money", case.amount),
        ("owed", case.owed),
    ):
        yield name, None if amount is None else text_of(amount)
    yield "parcel", None if case.tracking_no is None else f"{case.carrier} {case.tracking_no}"
    if refused := sum(line.refused_qty for line in case.lines):
        units = counted(refused, "unit")
        yield "refused", f"{units}: oms order explain {case.order_id} says whether they have to go back to the buyer"
    yield "evidence", ", ".join(case.evidence) or None


def _lines(case: CaseShown) -> TitledTable:
    columns = [
        Column("line", right=True),
        Column("sku", least=8),
        Column("name", least=8, cut=True, extra=True),
        Column("units", right=True),
        Column("so far", least=12),
        Column("wants", least=8),
    ]
    rows = [(line.line_no, line.sku_id, line.name, line.qty, _so_far(line), line.wanted_sku_id) for line in case.lines]
    return TitledTable("lines", columns, rows)


def _so_far(line: Any) -> str:
    words = ("accepted", "refused", "refunded", "replaced")
    return ", ".join(f"{count} {word}" for word in words if (count := getattr(line, f"{word}_qty")))


def _refunds(case: CaseShown, width: int) -> TitledTable:
    columns = [
        Column("requested (UTC)"),
        Column("refund", least=12),
        Column("provider", extra=True),
        Column("amount", right=True),
        Column("state"),
        Column("reason", least=8),
    ]
    rows = [
        (when(one.requested_at, width), one.refund_no, one.provider, text_of(one.amount), one.state, one.reason_code)
        for one in case.refunds
    ]
    return TitledTable("refunds", columns, rows)


def _steps(case: CaseShown, width: int) -> TitledTable:
    columns = [
        Column("at (UTC)"),
        Column("what", least=12),
        Column("by", least=8),
        Column("reason", least=8),
        Column("wrote", least=12),
    ]
    rows = [
        (when(step.at, width), _what(step), _who(step, case), step.reason_code, step.written) for step in case.steps
    ]
    return TitledTable("steps", columns, rows)


def _what(step: CaseStepShown) -> str:
    return step.trigger if step.trigger == step.state else f"{step.trigger}: {step.state}"


def _who(step: CaseStepShown, case: CaseShown) -> str:
    acts = f"{step.actor_type} {step.actor_id}"
    return {f"user {case.user_id}": "buyer", "system oms": "oms"}.get(acts, acts)
