"""Explains after-sale cases: what each waits for, from whom, since when, until when, and what it becomes then.

    the case is                         it waits for
    ----------------------------------  ---------------------------------------------------------------------------
    requested, reopened                 its review; when the time is over the order's policy decides
    awaiting_return                     the buyer, who sends the goods back; then it is closed
    return_in_transit                   the carrier; then people are alerted
    received, inspecting                the inspection; then people are alerted
    inspect_failed                      an operator, who gives money for the refused goods or closes it
    an exchange, approved or inspected  stock that reserves the other goods; the buyer, who pays the difference until
                                        the exchange order ends, and then the money goes back
    reshipping                          the exchange order: its warehouse, then its carrier
    refunding, refund failed            its refund: workers/views/explanation.py has the refunds of an order

An exchange order that has its stock waits for the same as its case.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from workers.domain.after_sales import AfterSaleCase, CaseState
from workers.domain.exchanges import ExchangeState
from workers.domain.order import IN_WAREHOUSE, State
from workers.views.awaits import Awaited, Awaits, Whom
from workers.views.situation import CaseTimes
from workers.views.whole import ExchangeLink

OF_CASES = {
    CaseState.REQUESTED: (Awaits.CASE_REVIEW, Whom.OPERATOR),
    CaseState.REOPENED: (Awaits.CASE_REVIEW, Whom.OPERATOR),
    CaseState.AWAITING_RETURN: (Awaits.CASE_RETURN, Whom.BUYER),
    CaseState.RETURN_IN_TRANSIT: (Awaits.CASE_ARRIVAL, Whom.CARRIER),
    CaseState.RECEIVED: (Awaits.CASE_INSPECTION, Whom.WAREHOUSE),
    CaseState.INSPECTING: (Awaits.CASE_INSPECTION, Whom.WAREHOUSE),
    CaseState.INSPECT_FAILED: (Awaits.CASE_DECISION, Whom.OPERATOR),
    CaseState.APPROVED: (Awaits.CASE_GOODS, Whom.WAREHOUSE),
    CaseState.INSPECT_PASSED: (Awaits.CASE_GOODS, Whom.WAREHOUSE),
    CaseState.RESHIPPING: (Awaits.CASE_GOODS, Whom.WAREHOUSE),
}
"""What a case in each state waits for. One that refunds waits for its refund, and an ended one for nothing."""


def awaited_by_cases(
    cases: Iterable[AfterSaleCase], exchanges: Sequence[ExchangeLink], times: Mapping[int, CaseTimes]
) -> Iterator[Awaited]:
    """Yield what each case waits for. `exchanges` are the exchange orders of the cases, the oldest first."""
    newest = {link.case_id: link for link in exchanges}
    for case in cases:
        since, until, otherwise = times.get(case.id, CaseTimes())
        if case.state not in OF_CASES:
            continue
        what, whom = OF_CASES[case.state]
        link = newest.get(case.id) if what is Awaits.CASE_GOODS else None
        if link is not None:
            yield _goods(case, link, times.get(case.id, CaseTimes()))
            continue
        on_its_way = what is Awaits.CASE_ARRIVAL
        name, ref = (case.carrier, case.tracking_no) if on_its_way else (None, case.case_no)
        yield Awaited(case.order_id, what, whom, name, ref, since, until, otherwise, case.case_no)


def _goods(case: AfterSaleCase, link: ExchangeLink, times: CaseTimes) -> Awaited:
    """What the case waits for until other goods are with the buyer. `ref` is their order."""
    ref, about = link.order_no or str(link.order_id), case.order_id
    if link.stage is ExchangeState.RESERVING:
        return Awaited(about, Awaits.CASE_STOCK, Whom.STOCK, None, ref, link.placed_at, case_no=case.case_no)
    if link.state is State.AWAITING_PAYMENT:
        until, otherwise = link.expire_at, CaseState.REFUNDING
        return Awaited(about, Awaits.CASE_PAYMENT, Whom.BUYER, None, ref, times.since, until, otherwise, case.case_no)
    whom = Whom.WAREHOUSE if link.state in IN_WAREHOUSE | {State.PLACING} else Whom.CARRIER
    return Awaited(about, Awaits.CASE_GOODS, whom, None, ref, times.since, case_no=case.case_no)


def awaited_by_exchange(link: ExchangeLink, times: Mapping[int, CaseTimes]) -> Awaited:
    """What an exchange order waits for that has its stock: the goods that it replaces come back, and are accepted."""
    _, whom = OF_CASES.get(link.case_state, (None, Whom.WAREHOUSE))
    since, until, _ = times.get(link.case_id, CaseTimes())
    return Awaited(link.order_id, Awaits.CASE_OUTCOME, whom, None, link.case_no, since, until, case_no=link.case_no)
