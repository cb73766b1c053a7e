"""Attempts to pay, as views show them: each fact that a provider reports is an attempt at the order's intent (C-04)."""

from collections.abc import Sequence
from datetime import datetime

from workers.domain.order import State
from workers.domain.refund_amounts import GONE
from workers.views.whole import AttemptFacet, RecordedPayment, Refund, Whole


def attempt_state(fact: RecordedPayment, refunds: Sequence[Refund]) -> AttemptFacet:
    """The state of this attempt. It is refunded if all its money went back."""
    if fact.kind == "failed":
        return AttemptFacet.FAILED
    back = sum(refund.gone for refund in returned(fact, refunds))
    return AttemptFacet.REFUNDED if back >= fact.amount > 0 else AttemptFacet.CAPTURED


def returned(fact: RecordedPayment, refunds: Sequence[Refund]) -> list[Refund]:
    """The refunds of this attempt that succeeded."""
    about = (fact.provider, fact.trade_no)
    return [refund for refund in refunds if (refund.provider, refund.trade_no) == about and refund.state in GONE]


def returned_at(fact: RecordedPayment, refunds: Sequence[Refund]) -> datetime | None:
    """When the last refund of this attempt succeeded."""
    return max((r.finished_at for r in returned(fact, refunds) if r.finished_at is not None), default=None)


def unattempted(state: State, reserved: str | None = None) -> AttemptFacet:
    """The state of an intent without facts. A paid order without one had nothing to pay, or its money is `reserved`."""
    if reserved in ("authorized", "capturing", "failed"):
        return AttemptFacet.AUTHORIZED
    if state in (State.PLACING, State.AWAITING_PAYMENT):
        return AttemptFacet.CREATED
    return AttemptFacet.CLOSED if state in (State.CANCELLED, State.REJECTED) else AttemptFacet.CAPTURED


def winning(whole: Whole) -> RecordedPayment | None:
    """The kept capture; without one, the newest attempt."""
    kept = [fact for fact in whole.facts if fact.verdict == "kept"]
    return max(kept or whole.facts, key=lambda fact: fact.occurred_at, default=None)


def paid_by(whole: Whole) -> str | None:
    """The provider of the kept capture."""
    return next((fact.provider for fact in whole.facts if fact.verdict == "kept"), None)
