"""Refunds at Alipay: how their answers are read (S0-07, S0-10)."""

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
    ProviderRefusal,
    RefundReport,
    ReportedRefund,
    UnknownOutcome,
)

ALIPAY = builders.provider()
MAYBE = ["ACQ.TRADE_HAS_CLOSE", "ACQ.DISCORDANT_REPEAT_REQUEST", "ACQ.TRADE_STATUS_ERROR"]


@pytest.mark.parametrize("code", MAYBE)
def test_a_refund_of_a_closed_trade_may_be_why_it_is_closed(code: str) -> None:
    assert ALIPAY.read_refund(
        REFUND_ORDER, builders.answer(REFUND, protocol.failed(code)), QUERIED_AT
    ) == UnknownOutcome(code)


def refund_said(**more: Any) -> object:
    given = {
        "trade_no": REFUND_ORDER.trade_no,
        "fund_change": "Y",
        "refund_fee": "8.88",
        "out_trade_no": REFUND_ORDER.out_trade_no,
    }
    told = {name: value for name, value in (given | more).items() if value is not None}
    return ALIPAY.read_refund(REFUND_ORDER, builders.answer(REFUND, protocol.ok(**told)), QUERIED_AT)


def test_a_refund_is_done_when_money_moved() -> None:
    done = RefundReport(REFUND_ORDER.refund_no, ReportedRefund.SUCCEEDED, 888, "CNY", QUERIED_AT)
    assert refund_said() == done
    assert refund_said(refund_fee="20.00") == done, "with what was given back before"
    paid_back_at = refund_said(gmt_refund_pay="2026-11-22 12:00:02")
    assert paid_back_at == replace(done, occurred_at=QUERIED_AT + timedelta(seconds=1))


UNCLEAR: list[dict[str, Any]] = [
    {"fund_change": "N"}, {"fund_change": None}, {"refund_fee": "8.87"}, {"refund_fee": "88.89"}, {"trade_no": "2"},
    {"refund_fee": None}, {"gmt_refund_pay": "soon"},
]  # fmt: skip


@pytest.mark.parametrize("other", UNCLEAR, ids=str)
def test_a_refund_is_queried_when_no_money_moved(other: dict[str, Any]) -> None:
    assert isinstance(refund_said(**other), UnknownOutcome)


def refund_polled(after: timedelta = timedelta(seconds=11), **more: Any) -> object:
    given = {
        "trade_no": REFUND_ORDER.trade_no,
        "refund_status": "REFUND_SUCCESS",
        "refund_amount": "8.88",
        "total_amount": "88.88",
        "out_request_no": REFUND_ORDER.refund_no,
        "gmt_refund_pay": "2026-11-22 12:00:02",
    }
    told = {name: value for name, value in (given | more).items() if value is not None}
    return ALIPAY.read_refund_query(
        REFUND_ORDER, builders.answer(REFUND_QUERY, protocol.ok(**told)), REFUND_ORDER.requested_at + after
    )


def test_how_a_refund_stands() -> None:
    assert refund_polled() == RefundReport(
        REFUND_ORDER.refund_no, ReportedRefund.SUCCEEDED, 888, "CNY", REFUND_ORDER.requested_at + timedelta(seconds=2)
    )


def test_a_refund_that_is_not_there_after_ten_seconds_was_never_made() -> None:
    nothing: dict[str, Any] = {"refund_status": None, "refund_amount": None, "out_request_no": None}
    assert isinstance(refund_polled(timedelta(seconds=9), **nothing), UnknownOutcome)
    assert refund_polled(timedelta(seconds=10), **nothing) == ProviderRefusal(
        "REFUND_NOT_EXIST", "there is no such refund"
    )


OTHER_REFUNDS: list[dict[str, Any]] = [
    {"out_request_no": "R1"}, {"refund_amount": "8.89"}, {"refund_status": "REFUND_PROCESSING"},
    {"refund_status": None},
]  # fmt: skip


@pytest.mark.parametrize("other", OTHER_REFUNDS, ids=str)
def test_an_answer_about_another_refund_is_unknown(other: dict[str, Any]) -> None:
    assert isinstance(refund_polled(**other), UnknownOutcome)
