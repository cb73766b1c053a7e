"""The adapter reads Stripe's itemised report of what changed the balance (R-10)."""

from dataclasses import replace
from datetime import date

import pytest

from scripts.gateways.stripe_protocol import BalanceLine, report
from tests.providers import stripe_builders as builders
from tests.providers.stripe_builders import ATTEMPT, CHARGE, DISPUTE, REFUND_ID, REFUND_ORDER
from workers.providers.port import StatementError, StatementRow

DAY = date(2026, 11, 22)
PROVIDER = builders.provider()
PAID = BalanceLine("charge", CHARGE, CHARGE, "88.88", "eur", ATTEMPT.out_trade_no)
BACK = BalanceLine("refund", REFUND_ID, CHARGE, "0.88", "eur", REFUND_ORDER.refund_no)
WITHDRAWN = BalanceLine("dispute", DISPUTE, CHARGE, "5.00", "eur")
OTHERS = [
    BalanceLine("fee", "", "", "0.30", "eur"),
    BalanceLine("payout", "po_1", "", "70.00", "eur"),
    BalanceLine("dispute_reversal", DISPUTE, CHARGE, "5.00", "eur"),
    BalanceLine("refund_failure", REFUND_ID, CHARGE, "0.88", "eur"),
]
REPORT = report(DAY, [PAID, *OTHERS, BACK, WITHDRAWN])
CAPTURED = StatementRow("capture", ATTEMPT.out_trade_no, CHARGE, 8888, "EUR", 2)
REFUNDED = StatementRow(
    "refund", REFUND_ORDER.refund_no, REFUND_ID, 88, "EUR", 7, CHARGE, REFUND_ID, reversal=False, certain=False
)
REVERSED = StatementRow("refund", DISPUTE, DISPUTE, 500, "EUR", 8, CHARGE, DISPUTE, reversal=True)


def test_a_report_lists_captures_refunds_and_withdrawals_and_nothing_else() -> None:
    assert PROVIDER.statement(REPORT, DAY) == [CAPTURED, REFUNDED, REVERSED]
    assert PROVIDER.statement(b"\xef\xbb\xbf" + REPORT.replace(b"\n", b"\r\n"), DAY) == [CAPTURED, REFUNDED, REVERSED]
    assert PROVIDER.statement(report(DAY, []), DAY) == []


def test_what_was_not_captured_of_an_authorisation_is_not_counted() -> None:
    rest = BalanceLine("partial_capture_reversal", CHARGE, CHARGE, "80.88", "eur")
    for lines in ([PAID, rest], [rest, PAID]):
        (row,) = PROVIDER.statement(report(DAY, lines), DAY)
        assert (row.trade_no, row.amount) == (CHARGE, 800)
    with pytest.raises(StatementError, match="line 2: what was not captured"):
        PROVIDER.statement(report(DAY, [rest]), DAY)


@pytest.mark.parametrize(
    ("currency", "written", "amount"),
    [
        ("jpy", "1234", 1234),
        ("jpy", "1234.00", 1234),
        ("kwd", "1.230", 1230),
        ("isk", "1234.00", 1234),
        ("eur", "7", 700),
    ],
)
def test_amounts_are_read_in_minor_units_of_their_currency(currency: str, written: str, amount: int) -> None:
    (row,) = PROVIDER.statement(report(DAY, [replace(PAID, currency=currency, amount=written)]), DAY)
    assert (row.amount, row.currency) == (amount, currency.upper())


def test_money_without_our_number_is_listed_under_stripes_number() -> None:
    rows = PROVIDER.statement(report(DAY, [replace(PAID, number=""), replace(BACK, number="by hand")]), DAY)
    assert [(row.number, row.trade_no) for row in rows] == [(CHARGE, CHARGE), (REFUND_ID, REFUND_ID)]


def test_columns_are_found_by_their_names() -> None:
    names = b'"payment_metadata[out_trade_no]"', b'"refund_metadata[refund_no]"'
    swapped = REPORT.replace(b",".join(names), b",".join(reversed(names)))
    assert [row.number for row in PROVIDER.statement(swapped, DAY)] == [CHARGE, REFUND_ID, DISPUTE]
    more = (
        REPORT.replace(names[1], names[1] + b',"trace_id"').replace(b'""\n', b'"","x"\n').replace(b'9"\n', b'9","x"\n')
    )
    assert PROVIDER.statement(more, DAY) == [CAPTURED, REFUNDED, REVERSED]


WRONG: list[tuple[bytes, bytes, str]] = [
    (b'"charge_id"', b'"charge"', "line 1: not one column charge_id"), (b'"created"', b'"gross"', "line 1"),
    (b"2026-11-22 10:00:00", b"2026-11-21 10:00:00", "line 2: a row that is not of 2026-11-22"),
    (b'"88.88"', b'"88.888"', "line 2: no amount"), (b'"88.88"', b'"8,888.00"', "line 2: no amount"),
    (b'"88.88"', b'"88."', "line 2: no amount"), (b'"88.88"', b'"1e9"', "line 2: no amount"),
    (b'"88.88","eur"', b'"88.88","euro"', "line 2: no currency"), (b'"txn_1",', b"", "line 2: expected 17 values"),
    (b'"ch_3Mml', b'"../', "line 2: no number"), ("茶".encode(), b"\xff", "UTF-8"),
    (b'"txn_1"', b'"txn"1', "is no CSV"),
    (b"txn_1", b"t" * 5000, "line 2: a field is too long"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "message"), WRONG, ids=range(len(WRONG)))
def test_a_report_in_another_layout_is_rejected_with_the_line(was: bytes, becomes: bytes, message: str) -> None:
    assert was in REPORT
    with pytest.raises(StatementError, match=message):
        PROVIDER.statement(REPORT.replace(was, becomes), DAY)


def test_a_report_that_was_cut_within_a_row_or_has_a_row_twice_is_rejected() -> None:
    ends = {length for length in range(len(REPORT)) if REPORT[:length].endswith(b"\n")}
    for length in set(range(0, len(REPORT), 7)) - ends:
        with pytest.raises(StatementError):
            PROVIDER.statement(REPORT[:length], DAY)
    with pytest.raises(StatementError, match="line 9: a row that stands twice"):
        PROVIDER.statement(report(DAY, [PAID, *OTHERS, BACK, WITHDRAWN, BACK]), DAY)
