"""The adapter reads UnionPay's day statements, which are called ZM files (R-10)."""

from datetime import date

import pytest

from scripts.gateways.unionpay_protocol import ZM_WIDTHS, statement_line
from tests.providers import unionpay_builders as builders
from tests.providers.unionpay_builders import AT, ATTEMPT, MERCHANT, QUERY_ID, REFUND_ORDER
from workers.providers.port import StatementError, StatementRow
from workers.providers.unionpay.statement import STARTS, WIDTHS

DAY = date(2026, 11, 22)
PROVIDER = builders.provider()
PAID = statement_line(
    merchant_id=MERCHANT, type_="01", order_id=ATTEMPT.out_trade_no, query_id=QUERY_ID, amount=8888, at=AT
)
RETURNED = statement_line(
    merchant_id=MERCHANT,
    type_="04",
    order_id=REFUND_ORDER.refund_no,
    query_id=QUERY_ID[::-1],
    amount=88,
    at=AT,
    original=QUERY_ID,
)
ROWS = [
    StatementRow("capture", ATTEMPT.out_trade_no, QUERY_ID, 8888, "CNY", 1),
    StatementRow("refund", REFUND_ORDER.refund_no, QUERY_ID[::-1], 88, "CNY", 2, capture_no=QUERY_ID),
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_statement_lists_payments_and_refunds_with_their_numbers(end: bytes) -> None:
    assert PROVIDER.statement(PAID + end + RETURNED + end, DAY) == ROWS
    assert PROVIDER.statement(PAID + end + RETURNED, DAY) == ROWS


def test_a_truncated_line_is_rejected_but_missing_lines_are_not_detected() -> None:
    """The layout has no number of lines and no sums. Reconciliation reports the payments as missing at UnionPay."""
    whole = PAID + b"\n" + RETURNED + b"\n"
    for length in range(1, len(whole)):
        rest = whole[:length].rpartition(b"\n")[2]
        if rest and len(rest) < STARTS[-1] + WIDTHS[-1]:
            with pytest.raises(StatementError):
                PROVIDER.statement(whole[:length], DAY)
    assert PROVIDER.statement(PAID + b"\n", DAY) == ROWS[:1]


def test_a_day_without_transactions_has_no_rows() -> None:
    assert PROVIDER.statement(b"", DAY) == []


def test_the_columns_are_those_of_the_published_layout() -> None:
    """Columns are counted from 1: 7 amount, 10 queryId, 12 orderId, 20 txnType, 28 merId; the 42nd is reserved."""
    assert list(WIDTHS) == ZM_WIDTHS[:-1]
    assert len(PAID) == sum(ZM_WIDTHS) + 41
    assert [PAID[STARTS[n - 1] :][: WIDTHS[n - 1]].strip() for n in (1, 7, 10, 12, 20, 28)] == [
        b"S22",
        b"000000008888",
        QUERY_ID.encode(),
        ATTEMPT.out_trade_no.encode(),
        b"01",
        MERCHANT.encode(),
    ]


def test_the_reserved_columns_may_have_any_layout() -> None:
    shortest = PAID[: STARTS[-1] + WIDTHS[-1]]
    assert PROVIDER.statement(shortest + b"\n" + PAID + b" 12 D000000000001", DAY) == [
        ROWS[0],
        StatementRow("capture", ATTEMPT.out_trade_no, QUERY_ID, 8888, "CNY", 2),
    ]


def test_other_transaction_types_are_left_out() -> None:
    others = [PAID[: STARTS[19]] + type_ + PAID[STARTS[19] + 2 :] for type_ in (b"31", b"02", b"00")]
    assert PROVIDER.statement(b"\n".join(others), DAY) == []


def with_column(column: int, text: bytes) -> bytes:
    """The line with another text in a column, counted from 1."""
    start, width = STARTS[column - 1], WIDTHS[column - 1]
    return PAID[:start] + text.ljust(width)[:width] + PAID[start + width :]


WRONG_LINES = {
    "a short line": PAID[: STARTS[-1] + WIDTHS[-1] - 1],
    "a table": b"a,b,c\n",
    "half a line": PAID[300:],
    "no space between columns": PAID[: STARTS[5] - 1] + b"0" + PAID[STARTS[5] :],
    "one byte too many": b"0" + PAID,
    "another merchant": with_column(28, b"777290058167152"),
    "no amount": with_column(7, b""),
    "a signed amount": with_column(7, b"-00000008888"),
    "decimals": with_column(7, b"00000088.880"),
    "nothing": with_column(7, b"000000000000"),
    "an amount in other digits": with_column(7, "８".encode("gbk") * 6),
    "no type": with_column(20, b"  "),
    "no number": with_column(12, b""),
    "no trade number": with_column(10, b""),
    "a number with a space": with_column(12, b"P17 325846"),
    "a name": with_column(12, "银联".encode("gbk")),
}


@pytest.mark.parametrize("what", WRONG_LINES)
def test_a_statement_in_another_layout_is_rejected_with_the_line(what: str) -> None:
    with pytest.raises(StatementError, match="line 2"):
        PROVIDER.statement(PAID + b"\n" + WRONG_LINES[what], DAY)
