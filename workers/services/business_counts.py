"""Counts payments, after-sale cases and parcels, once the transaction that decided about them has committed.

What it counts can be counted in the tables as well (S0-44, S0-46): payments in payment_facts, cases in their log,
parcels in their facts.
"""

from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

from prometheus_client import Counter, Histogram

import outbox
from outbox.bounded_label import BoundedLabel
from workers.domain.after_sales import ENDED, CaseState, CaseStep, CaseType
from workers.domain.payment_rules import PaymentVerdict
from workers.domain.shipping import DELAYED, ParcelState
from workers.store.payments import PaymentFact

DAY = 86_400
CASE_SECONDS = (DAY // 4, DAY, 3 * DAY, 5 * DAY, 7 * DAY, 15 * DAY, 30 * DAY)  # review and return take days each
HAPPENINGS = {
    ParcelState.DELIVERED: "delivered",
    DELAYED: "delayed",
    ParcelState.LOST: "lost",
    ParcelState.LOSS_CONFIRMED: "lost",
    ParcelState.REFUSED: "refused",
    ParcelState.UNDELIVERABLE: "undeliverable",
}
"""What a carrier reports -> what it is counted as."""
PAYMENTS = Counter(
    "oms_payments_total",
    "Payments that providers reported: captured (success) or failed. An authorised one counts when it is captured",
    ["provider", "result"],
)
CASES = Counter(
    "oms_after_sales_total", "After-sale cases that ended; one that is reopened ends once more", ["type", "result"]
)
CASE_DURATION = Histogram(
    "oms_after_sale_duration_seconds",
    "Time from the application for a case until it ended",
    ["type"],
    buckets=CASE_SECONDS,
)
REFUNDS_FAILED = Counter("oms_after_sale_refunds_failed_total", "Refunds of after-sale cases that failed", ["type"])
PARCELS = Counter(
    "oms_parcels_total",
    "Parcels to buyers: once for each of delivered, delayed, lost, refused and undeliverable that the carrier reported",
    ["carrier", "event"],
)
_PROVIDERS = BoundedLabel(10)
_CARRIERS = BoundedLabel(10)

for _type in CaseType:
    REFUNDS_FAILED.labels(_type)
for _type, _state in product(CaseType, ENDED):
    CASES.labels(_type, _state)


def note_payments(facts: Iterable[PaymentFact]) -> None:
    """Count these payments, which were not known before."""
    for fact in facts:
        result = "failure" if fact.verdict is PaymentVerdict.FAILED else "success"
        outbox.once_committed(PAYMENTS.labels(_PROVIDERS.of(fact.result.provider), result).inc)


def note_case(step: CaseStep[Any]) -> None:
    """Count the step of a case that ends it, and a refund that failed. The end of an ended case is not its end."""
    case = step.case
    if step.trigger == "refund_failed":
        outbox.once_committed(REFUNDS_FAILED.labels(case.type).inc)
    if case.state in ENDED and step.previous not in ENDED and case.completed_at is not None:
        duration: timedelta = case.completed_at - case.requested_at
        outbox.once_committed(CASES.labels(case.type, CaseState(case.state)).inc)
        outbox.once_committed(partial(CASE_DURATION.labels(case.type).observe, duration.total_seconds()))


def note_parcel(carrier: str, status: str, earlier: Collection[str]) -> None:
    """Count what a carrier reports of a parcel, if none of the `earlier` reports of the parcel counts as the same."""
    event = HAPPENINGS.get(status)
    if event is not None and event not in {HAPPENINGS.get(each) for each in earlier}:
        outbox.once_committed(PARCELS.labels(_CARRIERS.of(carrier), event).inc)
