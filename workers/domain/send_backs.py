"""Which goods of a case go back to the buyer: those that are at the warehouse and were not taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseState, CaseTrigger

WITHOUT_THEM = frozenset({CaseState.REJECTED, CaseState.REVOKED, CaseState.CLOSED})
"""A case that ended like this gave nothing for the goods that it has not accepted."""


AFTER_INSPECTION = frozenset({CaseTrigger.INSPECTION_PASSED, CaseTrigger.REPLACED, CaseTrigger.REFUND_OPENED})


def to_send_back(case: AfterSaleCase, trigger: CaseTrigger | None, left: Mapping[int, int]) -> dict[int, int]:
    """Line number -> the units that are to go back now, after this step, beyond those of earlier ones.

    An inspection that passed gives the refused units back at once, unless the buyer may owe their money; then they wait
    for the end of the case. One that failed waits for a decision: money for them, or the end of the case. `left` are
    the units of each line that have not gone back otherwise. `trigger` is None if the goods arrived after the case had
    ended.
    """
    passed = trigger in AFTER_INSPECTION and any(line.accepted_qty for line in case.lines)
    if passed:
        due = {line.line_no: line.refused_qty for line in case.lines}
    elif case.state in WITHOUT_THEM and case.received_at is not None:
        due = {line.line_no: line.qty - line.accepted_qty for line in case.lines}
    else:
        return {}
    units = {line.line_no: min(due[line.line_no], left[line.line_no]) - line.sending_qty for line in case.lines}
    return {line_no: qty for line_no, qty in units.items() if qty > 0}


def sending(case: AfterSaleCase, units: Mapping[int, int]) -> tuple[CaseLine, ...]:
    """The lines of the case once these units are to go back."""
    return tuple(replace(line, sending_qty=line.sending_qty + units.get(line.line_no, 0)) for line in case.lines)


def unsent(lines: Sequence[CaseLine], places: Mapping[int, str], warehouse: str) -> dict[int, int]:
    """Line number -> the units that the warehouse has to send back and has not handed over."""
    return {
        line.line_no: line.sending_qty - line.sent_qty
        for line in lines
        if places[line.line_no] == warehouse and line.sending_qty > line.sent_qty
    }
