"""Statements against the books: every single change of a perfect statement is found, and nothing else is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.reconciliation import Comparison, Difference, Entry, compare

DAY = date(2026, 11, 21)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)


@dataclass(frozen=True)
class Line:
    """A line as a provider's statement has it."""

    kind: Literal["capture", "refund"]
    number: str
    trade_no: str
    amount: int
    currency: str
    line: int = 1
    capture_no: str | None = None


def capture(number: str | None = "P1", trade_no: str = "t1", amount: int = 500, **changes: Any) -> Entry:
    return replace(Entry("capture", number, trade_no, amount, "CNY", DAY, 7), **changes)


def refund(number: str = "R1", trade_no: str = "t1", amount: int = 200, **changes: Any) -> Entry:
    return replace(Entry("refund", number, trade_no, amount, "CNY", DAY, 7), **changes)


def listed(*entries: Entry) -> list[Line]:
    """The statement with exactly these entries."""
    return [Line(e.kind, e.number or "", e.trade_no, e.amount, e.currency, n) for n, e in enumerate(entries, start=1)]


def line(entry: Entry, **changes: Any) -> Line:
    return replace(listed(entry)[0], **changes)


def found(comparison: Comparison) -> list[tuple[str, str | None, int | None]]:
    return [(each.kind, each.number, each.line) for each in comparison.differences]


CASES: list[tuple[str, Sequence[Line], Sequence[Entry], list[tuple[str, str | None, int | None]], int]] = [
    ("nothing on either side", [], [], [], 0),
    ("the same on both", listed(capture(), refund()), [refund(), capture()], [], 2),
    ("a capture that they do not list", [], [capture()], [("missing_there", "P1", None)], 0),
    ("a refund that they do not list", [], [refund()], [("missing_there", "R1", None)], 0),
    ("a capture that we do not have", listed(capture()), [], [("missing_here", "P1", 1)], 0),
    ("a refund that we do not have", listed(refund()), [], [("missing_here", "R1", 1)], 0),
    ("another amount", [line(capture(), amount=499)], [capture()], [("amount", "P1", 1)], 0),
    ("another currency", [line(capture(), currency="USD")], [capture()], [("amount", "P1", 1)], 0),
    ("another trade number", [line(capture(), trade_no="t9")], [capture()], [], 1),
    ("a refund by its own trade number", [line(refund(), trade_no="t9")], [refund()], [], 1),
    ("another number", [line(capture(), number="P9")], [capture()],
     [("missing_here", "P9", 1), ("missing_there", "P1", None)], 0),
    ("a capture listed as a refund", [line(capture(), kind="refund")], [capture()],
     [("missing_here", "P1", 1), ("missing_there", "P1", None)], 0),
    ("a number that stands twice", [line(capture(), line=1), line(capture(), line=2)], [capture()],
     [("missing_here", "P1", 2)], 1),
    ("two captures of one number, of which we know the second",
     [line(capture(), trade_no="t8", line=1), line(capture(), line=2)], [capture()], [("missing_here", "P1", 1)], 1),
    ("two captures of one number, of which they list the second", [line(capture(trade_no="t2"))],
     [capture(), capture(trade_no="t2")], [("missing_there", "P1", None)], 1),
    ("two of one number, where one amount differs", [line(capture(), amount=1), line(capture(trade_no="t2"), line=2)],
     [capture(trade_no="t2"), capture()], [("amount", "P1", 1)], 1),
    ("a capture of the day before, clocks apart", listed(capture()), [capture(day=BEFORE)], [], 1),
    ("a capture of the day after, clocks apart", listed(capture()), [capture(day=AFTER)], [], 1),
    ("a capture of long ago", listed(capture()), [capture(day=BEFORE - timedelta(days=1))],
     [("missing_here", "P1", 1)], 0),
    ("captures of the neighbouring days that they do not list", [], [capture(day=BEFORE), capture("P2", day=AFTER)],
     [], 0),
    ("a capture that yesterday's statement listed", [], [capture(stated_on=BEFORE)], [], 0),
    ("a capture that two days' statements list", listed(capture()), [capture(stated_on=BEFORE)],
     [("missing_here", "P1", 1)], 0),
    ("a capture that an earlier file of the day listed", listed(capture()), [capture(stated_on=DAY)], [], 1),
    ("a capture that an earlier file of the day listed and this one does not", [], [capture(stated_on=DAY)],
     [("missing_there", "P1", None)], 0),
    ("a refund under way that they list", listed(refund()), [refund(day=None)], [], 1),
    ("a refund under way that they do not list", [], [refund(day=None)], [], 0),
    ("a refund that was reported to us days later", listed(refund()), [refund(day=DAY + timedelta(days=5))], [], 1),
    ("a refund that they listed when they accepted it", [], [refund(stated_on=BEFORE)], [], 0),
    ("a capture that has no number of ours", [line(capture(), number="shop-1")], [capture(None)], [], 1),
    ("a line without a number", [line(capture(), number="")], [capture()], [], 1),
    ("a line that has the provider's number twice", [line(capture(), number="t1")], [capture()], [], 1),
    ("neither has a number", [line(capture(None))], [capture(None)], [], 1),
    ("a capture that has no number and that they do not list", [], [capture(None)], [("missing_there", None, None)], 0),
    ("a refund without a number is never guessed", [line(refund(), number="")], [refund()],
     [("missing_here", None, 1), ("missing_there", "R1", None)], 0),
    ("a refund without a number is not the capture that it gives back", [line(refund(), number="")], [capture()],
     [("missing_here", None, 1), ("missing_there", "P1", None)], 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "ours", "differences", "matched"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_what_a_statement_and_the_books_differ_in(
    theirs: Sequence[Line], ours: Sequence[Entry], differences: list[tuple[str, str | None, int | None]], matched: int
) -> None:
    comparison = compare(theirs, ours, DAY)
    assert found(comparison) == differences
    assert comparison.matched == matched


def test_a_difference_has_both_sides() -> None:
    other = line(capture(), amount=499, currency="USD", line=12)
    assert compare([other], [capture()], DAY).differences == [
        Difference("amount", "capture", "P1", "t1", 500, 499, "CNY", "USD", 7, 12)
    ]
    assert compare([line(capture(), amount=499)], [capture()], DAY).differences == [
        Difference("amount", "capture", "P1", "t1", 500, 499, "CNY", None, 7, 1)
    ]
    assert compare([line(refund(), line=3)], [], DAY).differences == [
        Difference("missing_here", "refund", "R1", "t1", None, 200, "CNY", None, None, 3)
    ]
    assert compare([], [refund()], DAY).differences == [
        Difference("missing_there", "refund", "R1", "t1", 200, None, "CNY", None, 7, None)
    ]


def test_what_is_listed_with_another_amount_is_listed_all_the_same() -> None:
    comparison = compare([line(capture(), amount=1)], [capture()], DAY)
    assert comparison.listed == [capture()]


@st.composite
def books(draw: st.DrawFn) -> list[Entry]:
    """The entries of a day and of the days beside it; the statement lists only those of the day. Numbers are unique."""
    days = st.sampled_from([DAY, DAY, BEFORE, AFTER])
    entries = []
    for n in range(draw(st.integers(1, 12))):
        amount, currency = draw(st.integers(1, 10**6)), draw(st.sampled_from(["CNY", "USD"]))
        if draw(st.booleans()):
            number = f"P{n}" if draw(st.booleans()) else None
            entries.append(Entry("capture", number, f"t{n}", amount, currency, draw(days), n))
        else:
            trade_no = f"t{draw(st.integers(0, n))}"
            entries.append(Entry("refund", f"R{n}", trade_no, amount, currency, draw(st.none() | days), n))
    return draw(st.permutations(entries))


@given(books(), st.data())
def test_a_statement_of_the_day_with_some_of_its_neighbours_has_no_difference(ours: list[Entry], data: Any) -> None:
    theirs = listed(*(e for e in ours if e.day == DAY or data.draw(st.booleans())))
    comparison = compare(data.draw(st.permutations(theirs)), ours, DAY)
    assert comparison.differences == []
    assert comparison.matched == len(theirs)


Changed = tuple[list[Line], list[Entry], Difference]
Change = Callable[[list[Entry], int], Changed]


def forgotten_there(ours: list[Entry], n: int) -> Changed:
    e = ours[n]
    gone = Difference("missing_there", e.kind, e.number, e.trade_no, e.amount, None, e.currency, None, e.order_id, None)
    return [each for each in listed(*ours) if each.line != n + 1], ours, gone


def forgotten_here(ours: list[Entry], n: int) -> Changed:
    e = ours[n]
    gone = Difference("missing_here", e.kind, e.number, e.trade_no, None, e.amount, e.currency, None, None, n + 1)
    return listed(*ours), [each for each in ours if each is not e], gone


def doubled(ours: list[Entry], n: int) -> Changed:
    e, last = ours[n], len(ours) + 1
    twice = Difference("missing_here", e.kind, e.number, e.trade_no, None, e.amount, e.currency, None, None, last)
    return listed(*ours, e), ours, twice


def changed_amount(ours: list[Entry], n: int) -> Changed:
    e, theirs = ours[n], listed(*ours)
    theirs[n] = replace(theirs[n], amount=e.amount + 1)
    other = Difference(
        "amount", e.kind, e.number, e.trade_no, e.amount, e.amount + 1, e.currency, None, e.order_id, n + 1
    )
    return theirs, ours, other


def changed_currency(ours: list[Entry], n: int) -> Changed:
    e, theirs = ours[n], listed(*ours)
    theirs[n] = replace(theirs[n], currency="EUR")
    other = Difference("amount", e.kind, e.number, e.trade_no, e.amount, e.amount, e.currency, "EUR", e.order_id, n + 1)
    return theirs, ours, other


def listed_before(ours: list[Entry], n: int) -> Changed:
    """Another day's statement had it already."""
    e = ours[n]
    again = Difference("missing_here", e.kind, e.number, e.trade_no, None, e.amount, e.currency, None, None, n + 1)
    return listed(*ours), [replace(each, stated_on=BEFORE) if each is e else each for each in ours], again


CHANGES: list[Change] = [forgotten_there, forgotten_here, doubled, changed_amount, changed_currency, listed_before]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@given(ours=books(), data=st.data())
def test_a_single_change_of_a_perfect_statement_is_exactly_that_difference(
    change: Change, ours: Any, data: Any
) -> None:
    ours = [replace(entry, day=DAY) for entry in ours]
    theirs, here, difference = change(ours, data.draw(st.integers(0, len(ours) - 1)))
    comparison = compare(data.draw(st.permutations(theirs)), data.draw(st.permutations(here)), DAY)
    expected = difference
    if change is doubled:  # either of the two lines may be the extra one
        expected = replace(difference, line=comparison.differences[0].line)
    assert list(comparison.differences) == [expected]
    assert comparison.matched == len(theirs) - (difference.line is not None)
