"""The adapter reads Alipay's answers about refunds (S0-07, S0-10)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scripts.gateways import alipay_protocol as protocol
from tests.providers import alipay_builders as builders
from tests.providers.alipay_builders import (
    QUERIED_AT,
    REFUND,
    REFUND_ORDER,
    REFUND_QUERY,
)
from workers.providers.port import (
    ForeignRefund,
    ProviderRefusal,
    RefundReport,
    ReportedRefund,
    UnknownOutcome,
)

ALIPAY = builders.provider()
TRADE_CLOSED_CODES = ["ACQ.TRADE_HAS_CLOSE", "ACQ.DISCORDANT_REPEAT_REQUEST", "ACQ.TRADE_STATUS_ERROR"]
"""The refund itself may have closed the trade: an earlier request for it may have succeeded."""


@pytest.mark.parametrize("code", TRADE_CLOSED_CODES)
def test_a_refund_refused_because_its_trade_is_closed_has_an_unknown_outcome(code: str) -> None:
    assert ALIPAY.read_refund(
        REFUND_ORDER, builders.answer(REFUND, protocol.failed(code)), QUERIED_AT
    ) == UnknownOutcome(code)


def read_refund(**more: Any) -> object:
    given = {
        "trade_no": REFUND_ORDER.trade_no,
        "fund_change": "Y",
        "refund_fee": "8.88",
        "out_trade_no": REFUND_ORDER.out_trade_no,
    }
    fields = {name: value for name, value in (given | more).items() if value is not None}
    return ALIPAY.read_refund(REFUND_ORDER, builders.answer(REFUND, protocol.ok(**fields)), QUERIED_AT)


def test_a_refund_has_succeeded_when_money_moved() -> None:
    done = RefundReport(REFUND_ORDER.refund_no, ReportedRefund.SUCCEEDED, 888, "CNY", QUERIED_AT)
    assert read_refund() == done
    assert read_refund(refund_fee="20.00") == done, "refund_fee includes earlier refunds"
    paid_back_at = read_refund(gmt_refund_pay="2026-11-22 12:00:02")
    assert paid_back_at == replace(done, occurred_at=QUERIED_AT + timedelta(seconds=1))


UNCLEAR_FIELDS: list[dict[str, Any]] = [
    {"fund_change": "N"}, {"fund_change": None}, {"refund_fee": "8.87"}, {"refund_fee": "88.89"}, {"trade_no": "2"},
    {"refund_fee": None}, {"gmt_refund_pay": "soon"},
]  # fmt: skip


@pytest.mark.parametrize("other", UNCLEAR_FIELDS, ids=str)
def test_a_refund_has_an_unknown_outcome_when_no_money_moved(other: dict[str, Any]) -> None:
    assert isinstance(read_refund(**other), UnknownOutcome)


def read_refund_query(after: timedelta = timedelta(seconds=11), **more: Any) -> object:
    given = {
        "trade_no": REFUND_ORDER.trade_no,
        "refund_status": "REFUND_SUCCESS",
        "refund_amount": "8.88",
        "total_amount": "88.88",
        "out_request_no": REFUND_ORDER.refund_no,
        "gmt_refund_pay": "2026-11-22 12:00:02",
    }
    fields = {name: value for name, value in (given | more).items() if value is not None}
    return ALIPAY.read_refund_query(
        REFUND_ORDER, builders.answer(REFUND_QUERY, protocol.ok(**fields)), REFUND_ORDER.requested_at + after
    )


def test_a_refund_query_reports_the_state_of_the_refund() -> None:
    assert read_refund_query() == RefundReport(
        REFUND_ORDER.refund_no, ReportedRefund.SUCCEEDED, 888, "CNY", REFUND_ORDER.requested_at + timedelta(seconds=2)
    )


def test_a_refund_that_alipay_does_not_know_after_ten_seconds_was_never_made() -> None:
    nothing: dict[str, Any] = {"refund_status": None, "refund_amount": None, "out_request_no": None}
    assert isinstance(read_refund_query(timedelta(seconds=9), **nothing), UnknownOutcome)
    assert read_refund_query(timedelta(seconds=10), **nothing) == ProviderRefusal(
        "REFUND_NOT_EXIST", "there is no such refund"
    )


OTHER_REFUNDS: list[dict[str, Any]] = [
    {"out_request_no": "R1"}, {"refund_amount": "8.89"}, {"refund_status": "REFUND_PROCESSING"},
    {"refund_status": None},
]  # fmt: skip


@pytest.mark.parametrize("other", OTHER_REFUNDS, ids=str)
def test_an_answer_about_another_refund_is_an_unknown_outcome(other: dict[str, Any]) -> None:
    assert isinstance(read_refund_query(**other), UnknownOutcome)


FOREIGN = ForeignRefund("F1", REFUND_ORDER.trade_no)


def read_foreign(**more: Any) -> object:
    given = {
        "trade_no": REFUND_ORDER.trade_no,
        "refund_status": "REFUND_SUCCESS",
        "refund_amount": "4.00",
        "out_request_no": "F1",
        "gmt_refund_pay": "2026-11-22 12:00:02",
    }
    fields = {name: value for name, value in (given | more).items() if value is not None}
    return ALIPAY.read_foreign_refund(FOREIGN, builders.answer(REFUND_QUERY, protocol.ok(**fields)), QUERIED_AT)


def test_a_refund_that_is_not_ours_is_reported_with_its_own_amount_and_its_trade() -> None:
    report = read_foreign()
    assert isinstance(report, RefundReport)
    assert (report.refund_no, report.trade_no, report.status) == ("F1", REFUND_ORDER.trade_no, "succeeded")
    assert (report.amount, report.currency) == (400, "CNY")


@pytest.mark.parametrize(
    "other",
    [
        {"refund_status": None, "refund_amount": None},
        {"refund_status": "REFUND_WAITING"},
        {"trade_no": "20261"},
        {"out_request_no": "F2"},
        {"refund_amount": "-4.00"},
    ],
    ids=str,
)
def test_an_answer_that_does_not_show_that_refund_is_an_unknown_outcome(other: dict[str, Any]) -> None:
    assert isinstance(read_foreign(**other), UnknownOutcome)
