"""After-sale cases with their lines and steps. The callers have locked the cases' orders."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.after_sales import (
    AfterSaleCase,
    CaseBook,
    CaseLine,
    CaseSource,
    CaseState,
    CaseStep,
    CaseTrigger,
    CaseType,
)

LINE_COLUMNS, STEP_COLUMNS, INSPECTION_COLUMNS = 12, 11, 5
INSPECTIONS = (CaseTrigger.INSPECTION_BEGAN, CaseTrigger.INSPECTION_PASSED, CaseTrigger.INSPECTION_FAILED)


async def of_orders(tx: Transaction, order_ids: Iterable[int]) -> list[AfterSaleCase]:
    """Return all cases of these orders, the oldest first. It takes two statements, one if there is no case."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["after_sales.of_orders"], wanted) if wanted else []
    lines: dict[int, list[CaseLine]] = {row["id"]: [] for row in rows}
    for row in await tx.fetch(SQL["after_sales.lines"], sorted(lines)) if lines else []:
        lines[row["case_id"]].append(CaseLine(*tuple(row)[1:]))
    return [_case(row, lines[row["id"]]) for row in rows]


def _case(row: Any, lines: Sequence[CaseLine]) -> AfterSaleCase:
    fields = dict(row)
    fields |= {"type": CaseType(row["type"]), "source": CaseSource(row["source"]), "state": CaseState(row["state"])}
    return AfterSaleCase(**fields | {"evidence": tuple(orjson.loads(row["evidence"])), "lines": tuple(lines)})


async def rules_of(tx: Transaction, order_ids: Iterable[int]) -> dict[int, AfterSaleRules]:
    """Order id -> the after-sale rules under which it was placed."""
    wanted = sorted(set(order_ids))
    found = dict.fromkeys(wanted, AfterSaleRules())
    for row in await tx.fetch(SQL["after_sales.rules"], wanted) if wanted else []:
        found[row["id"]] = AfterSaleRules().with_changes(orjson.loads(row["rules"]))
    return found


async def orders_of(tx: Transaction, case_ids: Iterable[int]) -> dict[int, int]:
    """Case id -> order id; unknown cases are missing."""
    wanted = sorted(set(case_ids))
    rows = await tx.fetch(SQL["after_sales.orders_of"], wanted) if wanted else []
    return {row["id"]: row["order_id"] for row in rows}


async def open_orders(tx: Transaction, order_ids: Iterable[int]) -> set[int]:
    """Return those of these orders that have a case which has not ended."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["after_sales.open_orders"], wanted) if wanted else []
    return {row["order_id"] for row in rows}


async def save(tx: Transaction, book: CaseBook[Envelope[Any]]) -> None:
    """Write every new or changed case with its lines, and log every step and inspection, in one statement."""
    changed = book.changed
    if not changed:
        return
    lines = [(case.id, *_line_row(line)) for case in changed for line in case.lines]
    written = await tx.fetch(
        SQL["after_sales.save"],
        *columns(map(_row, changed)),
        *columns(lines, LINE_COLUMNS),
        *columns(map(_step_row, book.steps), STEP_COLUMNS),
        *columns((row for step in book.steps for row in _inspection_rows(step)), INSPECTION_COLUMNS),
        *columns([(case.received_at, case.parcel_id, case.balance_amount) for case in changed]),
    )
    assert len(written) == len(changed), "another transaction changed a case of a locked order"


def _row(case: AfterSaleCase) -> tuple[Any, ...]:
    return (
        case.id,
        case.case_no,
        case.order_id,
        case.type,
        case.source,
        case.reason_code,
        case.merchant_fault,
        case.requested_at,
        case.state,
        case.version,
        orjson.dumps(case.evidence).decode(),
        case.granted_amount,
        case.refund_amount,
        case.carrier,
        case.tracking_no,
        case.processed_at,
        case.completed_at,
    )


def _line_row(line: CaseLine) -> tuple[Any, ...]:
    return (
        line.line_no,
        line.qty,
        line.accepted_qty,
        line.refused_qty,
        line.refunded_qty,
        line.replaced_qty,
        line.wanted_sku_id,
        line.exchange_qty,
        line.exchange_value,
        line.exchange_credit,
        line.lost_qty,
    )


def _step_row(step: CaseStep[Envelope[Any]]) -> tuple[Any, ...]:
    return (
        step.case.id,
        step.case.version,
        step.trigger,
        step.previous,
        step.case.state,
        step.who.type,
        step.who.id,
        step.because.body.TYPE,
        step.because.id,
        step.reason_code,
        step.at,
    )


def _inspection_rows(step: CaseStep[Envelope[Any]]) -> list[tuple[Any, ...]]:
    if step.trigger not in INSPECTIONS:
        return []
    units: dict[tuple[int, str], int] = {}
    for line in step.because.body.lines:
        units[line.line_no, line.disposition] = units.get((line.line_no, line.disposition), 0) + line.qty
    return [(step.case.id, step.case.version, *key, qty) for key, qty in sorted(units.items())]
