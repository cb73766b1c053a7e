"""The adapter reads Alipay's day statement in Alipay's own layout (R-10)."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.gateways.alipay_protocol import AlipayBillLine, bill
from tests.providers import alipay_builders as builders
from workers.providers.port import StatementError, StatementRow

ALIPAY = builders.provider()
DAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
LINES = [
    AlipayBillLine(NOON, "P1", "20261", 8888),
    AlipayBillLine(NOON, "P2", "20262", 1, goods='茶, 绿 "特价"'),
    AlipayBillLine(NOON, "P1", "20261", 888, refund_no="R1"),
]
WHOLE = bill(DAY, builders.SELLER_ID, LINES)
TEXT = WHOLE.decode("gbk")
ROWS = [
    StatementRow("capture", "P1", "20261", 8888, "CNY", 6),
    StatementRow("capture", "P2", "20262", 1, "CNY", 7),
    StatementRow("refund", "R1", "20261", 888, "CNY", 8, capture_no="20261"),
]


def test_a_statement_lists_the_payments_and_refunds_of_a_day() -> None:
    assert ALIPAY.statement(WHOLE, DAY) == ROWS


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_statement_saved_by_a_spreadsheet_program_is_read_too(charset: str) -> None:
    assert ALIPAY.statement(TEXT.replace("\r\n", "\n").encode(charset), DAY) == ROWS


def test_a_day_without_payments_has_no_rows() -> None:
    assert ALIPAY.statement(bill(DAY, builders.SELLER_ID, []), DAY) == []


def test_the_account_is_our_seller_id_with_or_without_its_suffix() -> None:
    assert ALIPAY.statement(TEXT.replace(f"{builders.SELLER_ID}0156", builders.SELLER_ID).encode("gbk"), DAY) == ROWS


def test_a_refund_without_its_own_number_has_the_payments_number() -> None:
    assert ALIPAY.statement(TEXT.replace("R1\t", "").encode("gbk"), DAY)[2].number == "P1"


def test_a_refund_may_be_written_without_its_minus_sign() -> None:
    assert ALIPAY.statement(TEXT.replace("-8.88,-8.88", "8.88,8.88").encode("gbk"), DAY) == ROWS


BROKEN = [
    ("another account", builders.SELLER_ID, "2088621956155679", "line 2: expected our own"),
    ("another day", "起始日期：[2026年11月22日", "起始日期：[2026年11月21日", "line 3: expected 2026-11-22"),
    ("another kind of file", "#支付宝业务明细查询", "#支付宝账务明细查询", "line 1: expected #支付宝业务明细查询"),
    ("a float", "88.88,88.88", "8.8e1,88.88", "line 6: 订单金额（元） is no decimal"),
    ("too many decimals", "88.88,88.88", "88.88,88.880", "line 6: 商家实收（元） is no decimal"),
    ("a minus on a payment", "88.88,88.88", "-88.88,88.88", "line 6: 订单金额（元） is no decimal"),
    ("an unknown kind", "交易,\tgoods", "转账,\tgoods", "line 6: expected 交易 or 退款"),
    ("a missing value", "交易,\tgoods,", "交易,", "line 6: expected 25 values"),
    ("no request number", "退款批次号/请求号", "退款批次号", "line 5: expected the columns 退款批次号/请求号"),
    ("another number of payments", "#交易合计：2笔", "#交易合计：3笔", "expected the numbers and the sums"),
    ("another sum", "商家实收共88.89元", "商家实收共88.90元", "expected the numbers and the sums"),
    ("another number of refunds", "#退款合计：1笔", "#退款合计：0笔", "expected the numbers and the sums"),
    ("another sum of refunds", "退款共-8.88元", "退款共-8.89元", "expected the numbers and the sums"),
    ("no sums", "#退款合计", "#合计", "expected the numbers and the sums"),
    ("a quote that never ends", '"茶', '""茶', "expected CSV|expected 25 values"),
]


@pytest.mark.parametrize(("_case", "good", "bad", "message"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_statement_in_another_layout_is_rejected_with_the_line(_case: str, good: str, bad: str, message: str) -> None:
    assert good in TEXT
    with pytest.raises(StatementError, match=message):
        ALIPAY.statement(TEXT.replace(good, bad, 1).encode("gbk"), DAY)


ENDS = TEXT.index("元，商家优惠退款共")


@given(st.integers(0, ENDS))
def test_a_truncated_statement_is_rejected(length: int) -> None:
    with pytest.raises(StatementError):
        ALIPAY.statement(TEXT[:length].encode("gbk"), DAY)


@given(st.binary() | st.text().map(str.encode) | st.text().map(lambda text: (TEXT[:300] + text).encode()))
def test_content_that_is_not_a_statement_is_rejected(content: bytes) -> None:
    with pytest.raises(StatementError, match="expected"):
        ALIPAY.statement(content, DAY)
