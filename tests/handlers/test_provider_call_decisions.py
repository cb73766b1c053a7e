"""The decision on each answer of a provider, as pure values without a database or a provider."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from messages.envelope import Envelope
from messages.providers import (
    ProviderAuthorizationCapture,
    ProviderAuthorizationRenew,
    ProviderAuthorizationVoid,
    ProviderCapture,
    ProviderClose,
    ProviderDisputeEvidence,
    ProviderDisputeQuery,
    ProviderQuery,
    ProviderRefund,
    ProviderRefundQuery,
    ProviderStart,
)
from tests.providers import paypal_builders
from workers.domain.payment_authorizations import AuthorizationState, PaymentAuthorization
from workers.domain.payment_rules import AttemptState, PaymentVerdict
from workers.handlers.provider_calls import START_TRIES, CallContext, CallDecision, decide
from workers.providers.evidence import EvidenceReceipt
from workers.providers.port import (
    ApprovalReport,
    ClientAction,
    PaymentReport,
    ProviderRefusal,
    RefundOrder,
    RefundReport,
    ReportedPayment,
    ReportedRefund,
    UnknownOutcome,
)
from workers.services.provider_requests import authorization_request
from workers.store.attempts import Attempt

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GRACE = timedelta(seconds=60)
KEY = ("payment.start", "r1")
ACTION = ClientAction("qr", "https://qr.example/1")
NO_ANSWER = UnknownOutcome("TimeoutError")
REFUSAL = ProviderRefusal("ACQ.TRADE_NOT_EXIST", "no such trade")
APPROVAL = ApprovalReport("P7", "theirs")
REFUND = RefundOrder("R1", "P7", "t7", 300, 1000, "CNY", "late", NOW, NOW)


def reported(status: ReportedPayment) -> PaymentReport:
    return PaymentReport("P7", "t7", status, 1000, "CNY", NOW)


AUTHORIZED, CAPTURED, FAILED, CLOSED, PENDING = map(reported, ReportedPayment)


def attempt_in(state: str = "created", over: int = 0) -> Attempt:
    """An attempt in this state, whose window ended `over` seconds ago."""
    return Attempt(
        id=7,
        out_trade_no="P7",
        intent_id=8,
        order_id=9,
        provider="alipay",
        scene="qr",
        amount=1000,
        currency="CNY",
        state=AttemptState(state),
        reference=None,
        trade_no=None,
        command=KEY,
        details={},
        started_at=NOW - timedelta(minutes=30),
        expire_at=NOW - timedelta(seconds=over) if over else NOW + timedelta(minutes=1),
    )


def message(body: Any, tries: int = 0) -> Envelope[Any]:
    return Envelope(body=body, message_id="m1", correlation_id="c1", occurred_at=NOW, attempt=tries)


def decision(body: Any, answer: Any, state: str = "created", over: int = 0, tries: int = 0) -> CallDecision:
    """The decision on an attempt in this state, whose window ended `over` seconds ago."""
    attempt, item = attempt_in(state, over), message(body, tries)
    context = CallContext({7: attempt}, {KEY: "command-1"}, {"R1": ("alipay", REFUND)}, NOW, GRACE, "alipay")
    return decide(item, answer, context)


@dataclass(frozen=True)
class Effects:
    """A decision in short: the attempt's new state, the answer to the command, and the announcements."""

    state: str | None = None
    outcome: str | None = None
    announced: tuple[str, ...] = ()
    retried: bool = False
    polled: bool = False
    stops: bool = False


def effects(made: CallDecision) -> Effects:
    """The effects; every announcement carries the id of the message that caused it."""
    assert {one.causation_id for one in made.announcements} <= {"m1"}
    outcome: Any = made.outcome[1] if made.outcome else None
    return Effects(
        state=made.change.state if made.change else None,
        outcome=getattr(outcome, "code", outcome and outcome.routing_key()),
        announced=tuple(one.type.removesuffix(".v1") for one in made.announcements),
        retried=made.retry is not None,
        polled=made.poll_at is not None,
        stops=made.stops_polling is not None,
    )


LAST = START_TRIES - 1
STARTS = [
    (ACTION, "created", 0, Effects("requested", "payment.started")),
    (ACTION, "closing", 0, Effects(None, "PAY_PROVIDER_ERROR", ("provider.close",))),
    (ACTION, "captured", 0, Effects(None, "PAY_PROVIDER_ERROR", ("provider.close",))),
    (REFUSAL, "created", 0, Effects("failed", "PAY_PROVIDER_ERROR", stops=True)),
    (REFUSAL, "closed", 0, Effects(None, "PAY_PROVIDER_ERROR")),
    (REFUSAL, "captured", 0, Effects(None, "PAY_ALREADY_PAID")),
    (NO_ANSWER, "created", 0, Effects(retried=True)),
    (NO_ANSWER, "created", LAST, Effects("unknown", "PAY_PROVIDER_UNKNOWN")),
    (NO_ANSWER, "closing", LAST, Effects(None, "PAY_PROVIDER_UNKNOWN")),
    (None, "closed", 0, Effects(None, "PAY_PROVIDER_ERROR", stops=True)),
    (None, "captured", 0, Effects(None, "PAY_ALREADY_PAID", stops=True)),
    (CAPTURED, "created", 0, Effects("failed", "PAY_PROVIDER_ERROR", stops=True)),
]


@pytest.mark.parametrize(("answer", "state", "tries", "expected"), STARTS)
def test_a_start_is_answered_once_by_what_the_provider_answered(
    answer: Any, state: str, tries: int, expected: Effects
) -> None:
    assert effects(decision(ProviderStart(attempt_id=7), answer, state, tries=tries)) == expected


TAKE = partial(ProviderAuthorizationCapture, number=1)
LONG = 86_400  # so long ago that the window has ended by any clock
CALLS = [
    (ProviderQuery, CAPTURED, "requested", 0, Effects(announced=("payment.observed",))),
    (ProviderQuery, CAPTURED, "closed", 0, Effects(announced=("payment.observed",), stops=True)),
    (ProviderQuery, CAPTURED, "captured", 0, Effects(stops=True)),
    (ProviderQuery, FAILED, "requested", 0, Effects(announced=("payment.observed",))),
    (ProviderQuery, FAILED, "closed", 0, Effects(stops=True)),
    (ProviderQuery, CLOSED, "requested", 0, Effects("closed", None, ("payment.attempt_closed",), stops=True)),
    (ProviderQuery, PENDING, "requested", 0, Effects(polled=True)),
    (ProviderQuery, PENDING, "requested", LONG, Effects("closing", None, ("provider.close",))),
    (ProviderQuery, APPROVAL, "requested", 0, Effects(None, None, ("provider.capture",), polled=True)),
    (ProviderQuery, APPROVAL, "closing", 0, Effects(polled=True)),
    (ProviderQuery, APPROVAL, "requested", LONG, Effects("closing", None, ("provider.close",))),
    (ProviderQuery, REFUSAL, "requested", 0, Effects(polled=True)),
    (ProviderQuery, REFUSAL, "requested", LONG, Effects("closed", None, ("payment.attempt_closed",), stops=True)),
    (ProviderQuery, NO_ANSWER, "requested", 0, Effects(polled=True)),
    (ProviderQuery, NO_ANSWER, "requested", LONG, Effects()),
    (ProviderCapture, CAPTURED, "requested", 0, Effects(announced=("payment.observed",))),
    (ProviderCapture, REFUSAL, "requested", 0, Effects()),
    (ProviderCapture, NO_ANSWER, "requested", 0, Effects(retried=True)),
    (ProviderClose, CLOSED, "closing", 0, Effects("closed", None, ("payment.attempt_closed",), stops=True)),
    (ProviderClose, PENDING, "closing", 0, Effects(polled=True)),
    (ProviderClose, REFUSAL, "closing", 0, Effects()),
    (ProviderClose, NO_ANSWER, "closing", 0, Effects(retried=True)),
    (ProviderClose, None, "closed", 0, Effects(stops=True)),
    (ProviderClose, None, "closing", 0, Effects()),
    (ProviderQuery, AUTHORIZED, "requested", 0, Effects(announced=("payment.observed",))),
    (ProviderCapture, AUTHORIZED, "requested", 0, Effects(announced=("payment.observed",))),
    (ProviderClose, AUTHORIZED, "closing", 0, Effects(announced=("payment.observed",))),
    (ProviderQuery, AUTHORIZED, "closed", 0, Effects(announced=("payment.observed",), stops=True)),
    (ProviderQuery, AUTHORIZED, "captured", 0, Effects(stops=True)),
    *(
        (ProviderQuery, answer, "authorized", 0, Effects(announced=("authorization.observed",)))
        for answer in (AUTHORIZED, CAPTURED, FAILED, CLOSED, PENDING)
    ),
    (ProviderQuery, NO_ANSWER, "authorized", 0, Effects()),
    (TAKE, CAPTURED, "authorized", 0, Effects(announced=("authorization.observed",))),
    (TAKE, REFUSAL, "authorized", 0, Effects(announced=("authorization.observed",))),
    (TAKE, NO_ANSWER, "authorized", 0, Effects()),
    (ProviderAuthorizationVoid, CLOSED, "authorized", 0, Effects(announced=("authorization.observed",))),
    (ProviderAuthorizationVoid, REFUSAL, "authorized", 0, Effects()),
    (ProviderAuthorizationRenew, REFUSAL, "authorized", 0, Effects(announced=("authorization.observed",))),
]


@pytest.mark.parametrize(("message", "answer", "state", "over", "expected"), CALLS)
def test_an_answer_about_an_attempt_changes_what_the_table_of_the_handler_says(
    message: Any, answer: Any, state: str, over: int, expected: Effects
) -> None:
    assert effects(decision(message(attempt_id=7), answer, state, over)) == expected


REFUNDED = RefundReport("R1", ReportedRefund.SUCCEEDED, 300, "CNY", NOW)
REFUNDS = [
    (ProviderRefund, "R1", REFUNDED, Effects(announced=("refund.observed",))),
    (ProviderRefund, "R1", REFUSAL, Effects(announced=("refund.observed",))),
    (ProviderRefund, "R1", NO_ANSWER, Effects(announced=("refund.observed",))),
    (ProviderRefundQuery, "R1", REFUNDED, Effects(announced=("refund.observed",))),
    (ProviderRefundQuery, "R1", REFUSAL, Effects(announced=("provider.refund",))),
    (ProviderRefundQuery, "R1", NO_ANSWER, Effects(announced=("refund.observed",))),
    (ProviderRefund, "R2", None, Effects(retried=True)),
]


@pytest.mark.parametrize(("message", "refund_no", "answer", "expected"), REFUNDS)
def test_an_answer_about_a_refund_is_observed_or_the_refund_is_requested_again(
    message: Any, refund_no: str, answer: Any, expected: Effects
) -> None:
    assert effects(decision(message(refund_no=refund_no), answer)) == expected


def test_a_capture_that_another_has_replaced_is_not_sent() -> None:
    one = PaymentAuthorization(
        7, 9, "paypal", "a1", 1000, "USD", PaymentVerdict.KEPT, AuthorizationState.CAPTURING, NOW, NOW, captures=2
    )
    for number, sent in ((1, False), (2, True), (3, False)):
        item = message(ProviderAuthorizationCapture(attempt_id=7, number=number))
        request = authorization_request(paypal_builders.provider(), item, attempt_in("authorized"), one)
        assert (request is not None) is sent, number
    assert authorization_request(paypal_builders.provider(), item, attempt_in("authorized"), None) is None


def test_evidence_is_accepted_refused_or_given_again() -> None:
    body = ProviderDisputeEvidence(dispute_no="D1", number=1)
    answers = [
        EvidenceReceipt("D1"),
        ProviderRefusal("TOO_LATE", "no"),
        ProviderRefusal("no code", ""),
        NO_ANSWER,
        None,
    ]
    made = [decision(body, answer) for answer in answers]
    assert [effects(one).announced for one in made] == [("dispute.evidence_observed",)] * 3 + [(), ()]
    assert [one.retry is not None for one in made] == [False, False, False, True, False]
    assert effects(decision(ProviderDisputeQuery(dispute_no="D1"), REFUSAL)).retried
