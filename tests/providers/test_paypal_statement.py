"""The adapter reads PayPal's settlement reports, in several sections and files (R-10)."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.gateways.paypal_protocol import SettlementLine, settlement_report
from tests.providers import paypal_builders as builders
from tests.providers.paypal_builders import ATTEMPT, CAPTURE, MERCHANT, REFUND_ORDER
from workers.providers.port import StatementError, StatementRow

DAY = date(2026, 11, 22)
PROVIDER = builders.provider()
PAID = SettlementLine("T0006", CAPTURE, ATTEMPT.out_trade_no, 8888, "EUR", ATTEMPT.out_trade_no)
RETURNED = SettlementLine(
    "T1107", "1JU08902781691411", REFUND_ORDER.refund_no, 88, "EUR", REFUND_ORDER.refund_no, CAPTURE
)
OTHERS = [
    SettlementLine("T0400", "0AB", "", 5000, "EUR"),
    SettlementLine("T1110", "0AC", "", 88, "EUR"),
    SettlementLine("T1202", "0AD", "", 88, "EUR"),
    SettlementLine("T0113", "0AE", "", 1, "EUR"),
]  # fmt: skip
REPORT = settlement_report(DAY, MERCHANT, [PAID, *OTHERS, RETURNED])
LINES = REPORT.removeprefix(b"\xef\xbb\xbf").split(b"\r\n")
ROWS = [
    StatementRow("capture", ATTEMPT.out_trade_no, CAPTURE, 8888, "EUR", 5),
    StatementRow(
        "refund",
        REFUND_ORDER.refund_no,
        "1JU08902781691411",
        88,
        "EUR",
        10,
        capture_no=CAPTURE,
        provider_no="1JU08902781691411",
    ),
]


def test_a_report_lists_captures_and_refunds_with_their_numbers_and_nothing_else() -> None:
    assert PROVIDER.statement(REPORT, DAY) == ROWS


@pytest.mark.parametrize("code", ["T1106", "T1201"])
def test_a_reversal_and_a_charge_back_are_refunds_that_the_merchant_did_not_make(code: str) -> None:
    [row] = PROVIDER.statement(settlement_report(DAY, MERCHANT, [replace(RETURNED, code=code)]), DAY)
    assert row == replace(ROWS[1], line=5, reversal=True)


def test_the_byte_order_mark_and_the_line_ends_do_not_matter() -> None:
    for content in (REPORT.removeprefix(b"\xef\xbb\xbf"), REPORT.replace(b"\r\n", b"\n"), REPORT + b"\r\n\r\n"):
        assert PROVIDER.statement(content, DAY) == ROWS


def test_columns_are_found_by_their_names() -> None:
    swapped = REPORT.replace(b'"Invoice ID","PayPal Reference ID"', b'"PayPal Reference ID","Invoice ID"')
    assert [row.number for row in PROVIDER.statement(swapped, DAY)] == [ATTEMPT.out_trade_no, CAPTURE]
    more = REPORT.replace(b'"Credit Term"', b'"Credit Term","Something new"').replace(b',0,0,""', b',0,0,"",""')
    assert PROVIDER.statement(more, DAY) == ROWS


def test_every_section_has_its_own_heading() -> None:
    twice = REPORT + settlement_report(DAY, MERCHANT, [PAID]).removeprefix(b"\xef\xbb\xbf")
    assert len(PROVIDER.statement(twice, DAY)) == 3
    sections = [*LINES[:5], b'"SC",1', *LINES[2:10], b'"SF","USD",0,0,0,0', b'"SC",6', b'"RC",7', b'"FF",1']
    assert len(PROVIDER.statement(b"\r\n".join(sections), DAY)) == 3
    del sections[7]
    with pytest.raises(StatementError, match="line 8: a row with 22 fields below 0 columns"):
        PROVIDER.statement(b"\r\n".join(sections), DAY)


def test_a_report_in_several_files_is_read_as_one() -> None:
    first = [*LINES[:5], b'"SF","USD",0,0,0,0', b'"SC",1', b'"FF",1']
    last = [b'"FH",2', *LINES[2:4], *LINES[5:10], b'"SC",5', b'"RF","USD",0,0,0,0', b'"RC",6', b'"FF",2', b""]
    assert len(PROVIDER.statement(b"\r\n".join([*first, *last]), DAY)) == 2
    for part in (first, last):
        with pytest.raises(StatementError):
            PROVIDER.statement(b"\r\n".join(part), DAY)


@pytest.mark.parametrize("lines", [1, 3, 5, 8, 11, 12])
def test_a_truncated_report_is_rejected_even_if_a_whole_one_follows(lines: int) -> None:
    with pytest.raises(StatementError, match=f"line {lines + 1}: expected the number of the rows above first"):
        PROVIDER.statement(b"\r\n".join([*LINES[:lines], *LINES]), DAY)


def test_a_section_without_its_number_of_rows_is_rejected() -> None:
    sections = [*LINES[:5], *LINES[2:10], b'"SC",6', b'"RC",7', b'"FF",1']
    with pytest.raises(StatementError, match="line 6: expected the number of the rows above first"):
        PROVIDER.statement(b"\r\n".join(sections), DAY)


@given(st.integers(0, len(REPORT) - 1))
def test_a_truncated_report_is_rejected(length: int) -> None:
    if REPORT[:length].rstrip(b"\r\n") != REPORT.rstrip(b"\r\n"):
        with pytest.raises(StatementError):
            PROVIDER.statement(REPORT[:length], DAY)


@pytest.mark.parametrize("line", [n for n, line in enumerate(LINES) if line[1:3] not in (b"SF", b"RF", b"")])
def test_a_report_with_a_missing_line_is_rejected(line: int) -> None:
    with pytest.raises(StatementError, match=r"^line \d+: "):
        PROVIDER.statement(b"\r\n".join([*LINES[:line], *LINES[line + 1 :]]), DAY)


@pytest.mark.parametrize("line", range(4, 10))
def test_a_report_with_a_row_twice_is_rejected(line: int) -> None:
    with pytest.raises(StatementError, match="line 13: expected the number of the rows above"):
        PROVIDER.statement(b"\r\n".join([*LINES[: line + 1], *LINES[line:]]), DAY)


def test_a_payment_that_the_merchant_sent_is_not_a_capture() -> None:
    assert PROVIDER.statement(REPORT.replace(b'"CR",8888', b'"DR",8888'), DAY) == ROWS[1:]


@pytest.mark.parametrize(
    ("invoice", "custom", "number"),
    [("", ATTEMPT.out_trade_no, ATTEMPT.out_trade_no), ("", "", CAPTURE), ("ARG0-2022:1.5", "", CAPTURE)],
)
def test_money_without_our_number_is_listed_under_paypals_number(invoice: str, custom: str, number: str) -> None:
    moved = SettlementLine("T0006", CAPTURE, invoice, 8888, "EUR", custom)
    (row,) = PROVIDER.statement(settlement_report(DAY, MERCHANT, [moved]), DAY)
    assert (row.number, row.trade_no) == (number, CAPTURE)


def test_amounts_are_read_in_minor_units_of_their_currency() -> None:
    moved = [SettlementLine("T0006", "0A", "P1", 10_000, currency) for currency in ("USD", "JPY", "EUR")]
    found = PROVIDER.statement(settlement_report(DAY, MERCHANT, moved), DAY)
    assert [(row.amount, row.currency) for row in found] == [(10_000, "USD"), (10_000, "JPY"), (10_000, "EUR")]


WRONG_LAYOUTS: list[tuple[bytes, bytes, str]] = [
    (b'"SH",2026/11/22', b'"SH",2026/11/21', "line 3"), (b'"3SQBR4YEWZ4BA",""', b'"3SQBR4YEWZ4BB",""', "line 3"),
    (b'"SH",2026/11/22 00:00:00 -0800', b'"SH",today', "line 3"), (b'"Invoice ID"', b'"Invoice"', "line 4"),
    (b'"Custom Field"', b'"Invoice ID"', "line 4"), (b',8888,"EUR"', b',88.88,"EUR"', "line 5"),
    (b',8888,"EUR"', b',-8888,"EUR"', "line 5"), (b',8888,"EUR"', b',8888,"euro"', "line 5"),
    (b',8888,"EUR"', b',"8,888","EUR"', "line 5"), (b'"CR",8888', b'"",8888', "line 5"),
    (b'"SB","3C', b'"SB","","3C', "line 5"), (b'"SB","3C679366HH908993F"', b'"SB","../1"', "line 5"),
    (b'"SB","3C', b'"ZZ","3C', "line 5"), (b'"SB","3C', b'"SB","3"C', "line 5"), (b'"FH"', b'"FH\xff"', "UTF-8"),
    (b"7PC8LBX9", b"7" * 5000, "line 5"), (b'"FF",1', b'"FF', "is no CSV"), (b'"SC",6', b'"SC",5', "line 12"),
    (b'"SC",6', b'"SC",-6', "line 12"), (b'"SC",6', b'"SC"', "line 12"), (b'"RC",6', b'"RC",7', "line 14"),
    (b'"RC",6', b'"RC",6.0', "line 14"), (b'"SC",6', b'"FF",1', "line 12"), (b'"SC",6', b'"RC",6', "line 12"),
    (b'"FF",1', b'"FF",1\r\n"SH"', "line 16"), (b'"FF",1', b'"FF",1\r\n"RH"', "line 17: expected more"),
    (b'"FF",1', b'"FF",2', "line 15"), (b'"FF",1', b'"FF",', "line 15"), (b'"FF",1', b'"FF"', "line 15"),
    (b'"FH",1', b'"FH",x', "line 15"), (b'"FF",1', b'"FF",1\r\n"FF",1', "line 16"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "message"), WRONG_LAYOUTS)
def test_a_report_in_another_layout_is_rejected_with_the_line(was: bytes, becomes: bytes, message: str) -> None:
    assert was in REPORT
    with pytest.raises(StatementError, match=message):
        PROVIDER.statement(REPORT.replace(was, becomes, 1), DAY)


def test_a_day_without_payments_has_a_report_without_rows() -> None:
    assert PROVIDER.statement(settlement_report(DAY, MERCHANT, []), DAY) == []
    for nothing in (b"", b"\r\n"):
        with pytest.raises(StatementError, match="line 1: expected more"):
            PROVIDER.statement(nothing, DAY)
