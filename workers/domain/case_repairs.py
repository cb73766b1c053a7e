"""Whether a parcel that came back after its delivery concerns a case that nobody opened or brought it to."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from workers.domain.after_sale_rules import CLAIMABLE
from workers.domain.after_sales import RETURNS, AfterSaleCase, CaseState
from workers.domain.order import State

WAIT_FOR_PARCELS = frozenset({CaseState.REQUESTED, CaseState.REOPENED, CaseState.AWAITING_RETURN})
"""The states of a case that follows a parcel with its goods, whoever sent it."""


def concerns_cases(
    order_state: State,
    units: Mapping[int, int],
    free: Mapping[int, int],
    cases: Sequence[AfterSaleCase],
    since: datetime,
) -> bool:
    """True if a case of the order waits for these units (line number -> units), or one should have been opened.

    `free` are the units that a new case may name. None is opened for units that a case covered when the parcel came
    back, which was at `since`.
    """
    about = [case for case in cases if any(line.line_no in units for line in case.lines)]
    if any(c.type in RETURNS and c.state in WAIT_FOR_PARCELS and c.received_at is None for c in about):
        return True
    covered = any(c.requested_at <= since and (c.completed_at is None or c.completed_at >= since) for c in about)
    return order_state in CLAIMABLE and not covered and any(free.get(line_no) for line_no in units)
