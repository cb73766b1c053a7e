"""The adapter reads WeChat Pay's day statement in WeChat Pay's own layout (R-10)."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.gateways.wechat_protocol import BILL_NAMES, WeChatBillLine, bill
from tests.providers import wechat_builders as builders
from workers.providers.port import StatementError, StatementRow

WECHAT = builders.provider()
DAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
LINES = [
    WeChatBillLine(NOON, "P1", "42001", 8888),
    WeChatBillLine(NOON, "P2", "42002", 1, goods="茶, 绿 `特价`"),
    WeChatBillLine(NOON, "P1", "42001", 888, refund_no="R1"),
]
WHOLE = bill(DAY, builders.MCHID, builders.APPID, LINES)
ROWS = [
    StatementRow("capture", "P1", "42001", 8888, "CNY", 2),
    StatementRow("capture", "P2", "42002", 1, "CNY", 3),
    StatementRow("refund", "R1", "42001", 888, "CNY", 4, capture_no="42001", certain=False),
]


def test_a_statement_lists_the_payments_and_refunds_of_a_day() -> None:
    assert WECHAT.statement(WHOLE, DAY) == ROWS


def test_a_day_without_payments_has_no_rows() -> None:
    assert WECHAT.statement(bill(DAY, builders.MCHID, builders.APPID, []), DAY) == []


OLD = (Path(__file__).parent / "published" / "wechat_statement.csv").read_bytes()


def test_the_documented_example_in_the_old_layout_is_read() -> None:
    assert builders.provider(mchid="10000100").statement(OLD, date(2014, 11, 10)) == [
        StatementRow("capture", "1415640626", "1001690740201411100005734289", 1, "CNY", 2),
        StatementRow("capture", "1415635270", "1002780740201411100005729794", 1, "CNY", 3),
    ]


def test_a_payment_revoked_at_a_cash_register_is_a_refund_under_the_payments_number() -> None:
    text = (
        bill(DAY, builders.MCHID, builders.APPID, LINES[2:])
        .decode()
        .replace("`REFUND,", "`REVOKED,")
        .replace("`R1,", "`0,")
    )
    row = StatementRow("refund", "P1", "42001", 888, "CNY", 2, capture_no="42001", certain=False)
    assert WECHAT.statement(text.encode(), DAY) == [row]


def test_the_amount_is_that_of_the_order_including_coupons() -> None:
    text = WHOLE.decode().replace("`CNY,`88.88,`0.00,", "`CNY,`80.00,`8.88,", 1)
    assert WECHAT.statement(text.encode(), DAY) == ROWS


BROKEN = [
    ("another merchant", "`1900000109,", "`1900000110,", "line 2: expected our own"),
    ("another day", "`2026-11-22 12", "`2026-11-23 00", "line 2: expected a time on 2026-11-22"),
    ("a float", "`88.88,`0.00,`\r", "`8.888e1,`0.00,`\r", "line 2: expected an amount: 订单金额 is no"),
    ("too many decimals", "`88.88,`0.00,`\r", "`88.880,`0.00,`\r", "line 2: expected an amount: 订单金额 is no"),
    ("an unknown state", "`SUCCESS,", "`PAID,", "line 2: expected the state"),
    ("a missing value", "`NATIVE,", "", "line 2: expected 27 values"),
    ("a value without its tick", "`NATIVE,", "NATIVE,", "line 2: expected 27 values"),
    ("another sum", "`88.89,`8.88\r", "`88.90,`8.88\r", "line 6: expected the number"),
    ("another sum of refunds", "`88.89,`8.88\r", "`88.89,`8.89\r", "line 6: expected the number"),
    ("another number of lines", "\r\n`3,", "\r\n`4,", "line 6: expected the number"),
    ("no state", "交易状态", "交易状况", "line 1: expected the columns 交易状态"),
    ("the layout for refunds only", "充值券退款金额,", "退款申请时间,", "line 1: expected the type ALL"),
]


@pytest.mark.parametrize(("_case", "good", "bad", "message"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_statement_in_another_layout_is_rejected_with_the_line(_case: str, good: str, bad: str, message: str) -> None:
    text = WHOLE.decode()
    assert good in text
    with pytest.raises(StatementError, match=message):
        WECHAT.statement(text.replace(good, bad, 1).encode(), DAY)


def test_a_statement_without_the_sum_of_its_amounts_is_rejected() -> None:
    with pytest.raises(StatementError, match="line 1: expected one of the columns 订单金额"):
        WECHAT.statement(WHOLE.decode().replace("订单总金额", "订单").encode(), DAY)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_statement_is_rejected(length: int) -> None:
    if WHOLE[:length].rstrip(b"\r\n") == WHOLE.rstrip(b"\r\n"):
        return
    with pytest.raises(StatementError):
        WECHAT.statement(WHOLE[:length], DAY)


@given(st.binary() | st.text().map(str.encode) | st.text().map(lambda text: (BILL_NAMES + "\n" + text).encode()))
def test_content_that_is_not_a_statement_is_rejected(content: bytes) -> None:
    with pytest.raises(StatementError, match=r"^(line|byte) \d+: expected"):
        WECHAT.statement(content, DAY)
