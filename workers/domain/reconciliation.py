"""Compares a provider's day statement with our own entries (R-10): what is missing on either side, what differs.

Amounts are minor units. A row of a statement and our entry find each other by our number and the kind of movement. A
capture that another system of the shop collected has no number of ours, so the provider's own number finds it. We never
look for an entry on a second statement once one has listed it: providers keep days of their own, and list a refund when
they accept it or when it is done.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, Protocol, TypeAlias

Movement: TypeAlias = Literal["capture", "refund"]
DifferenceKind: TypeAlias = Literal["missing_here", "missing_there", "amount"]
LATE = timedelta(hours=2)
"""Money that moved this long before midnight may be on the next day's statement: UnionPay's day ends at 23:00."""
NEIGHBOUR = timedelta(days=1)
"""The most that the provider's day and ours can differ, by clocks around midnight and by time zones."""


class Listed(Protocol):
    """Money that moved, on either side: a line of a statement, or our entry."""

    @property
    def kind(self) -> Movement: ...

    @property
    def number(self) -> str | None: ...

    @property
    def trade_no(self) -> str: ...

    @property
    def amount(self) -> int: ...

    @property
    def currency(self) -> str: ...


class StatementLine(Listed, Protocol):
    """A line of a statement. `number` is ours. Without one it is empty, or the provider's own number again.

    `capture_no` is the provider's number of the capture that a refund draws on.
    """

    @property
    def line(self) -> int: ...

    @property
    def capture_no(self) -> str | None: ...


@dataclass(frozen=True)
class Entry:
    """Money that moved, as we hold it. `number` is the one that we gave to the provider.

    `day` is the day of the movement in the business time zone, None while a refund is under way. `stated_on` is the day
    of the statement that listed the entry. `due_on` is the day of the last statement that may list it: the entry counts
    as missing only there.
    """

    kind: Movement
    number: str | None
    trade_no: str
    amount: int
    currency: str
    day: date | None
    order_id: int
    stated_on: date | None = None
    due_on: date | None = None

    @property
    def key(self) -> tuple[Movement, str]:
        """(kind, number), unique within the provider: the provider's number for a capture, ours for a refund."""
        return self.kind, self.trade_no if self.kind == "capture" else self.number or ""

    def may_stand_on(self, day: date) -> bool:
        """True if the statement of this day may list the entry."""
        if self.stated_on is not None:
            return self.stated_on == day
        return self.kind == "refund" or (self.day is not None and abs(self.day - day) <= NEIGHBOUR)


@dataclass(frozen=True)
class Difference:
    """One difference for an operator to look at. `ours` and `theirs` are amounts.

    `currency` is that of our entry, or of the line if it is missing here. `capture_no` is that of the line.
    """

    kind: DifferenceKind
    movement: Movement
    number: str | None
    trade_no: str
    ours: int | None
    theirs: int | None
    currency: str
    their_currency: str | None
    order_id: int | None
    line: int | None
    capture_no: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Those of our entries that the statement lists, and every difference."""

    listed: Sequence[Entry]
    differences: Sequence[Difference]

    @property
    def matched(self) -> int:
        """The number of lines that agree with our entries."""
        return len(self.listed) - sum(difference.kind == "amount" for difference in self.differences)


PairKey: TypeAlias = tuple[object, ...]
PairKeyOf: TypeAlias = Callable[[Listed], PairKey | None]
"""Computes the key that a line and an entry of one movement share; None if this key cannot find the movement."""


def by_everything(one: Listed) -> PairKey | None:
    """The key of our number, the provider's number and the money."""
    return (one.kind, one.number, one.trade_no, one.amount, one.currency) if one.number else None


def by_both_numbers(one: Listed) -> PairKey | None:
    """The key of our number and the provider's."""
    return (one.kind, one.number, one.trade_no) if one.number else None


def by_number_and_money(one: Listed) -> PairKey | None:
    """The key of our number and the money."""
    return (one.kind, one.number, one.amount, one.currency) if one.number else None


def by_number(one: Listed) -> PairKey | None:
    """The key of our number."""
    return (one.kind, one.number) if one.number else None


def by_trade_number(one: Listed) -> PairKey | None:
    """The key of a capture's number at the provider."""
    return (one.trade_no,) if one.kind == "capture" and one.trade_no else None


def by_trade_number_alone(one: Listed) -> PairKey | None:
    """As by_trade_number, for captures without a number of ours: another system of the shop collected them."""
    numberless = one.number in (None, "", one.trade_no)
    return by_trade_number(one) if numberless else None


def by_own_number(one: Listed) -> PairKey | None:
    """The key of the provider's own number of a refund: a refund that it made by itself has no number of ours."""
    return (one.trade_no,) if one.kind == "refund" and one.trade_no else None


def by_refund_number(one: Listed) -> PairKey | None:
    """The key that `by_own_number` finds on the other side."""
    return (one.number,) if one.kind == "refund" and one.number else None


PASSES: tuple[tuple[PairKeyOf, PairKeyOf], ...] = (
    (by_everything, by_everything),
    (by_both_numbers, by_both_numbers),
    (by_number_and_money, by_number_and_money),
    (by_number, by_number),
    (by_trade_number, by_trade_number_alone),
    (by_trade_number_alone, by_trade_number),
    (by_own_number, by_refund_number),
)
"""(key of the line, key of the entry) of each pass.

The surest pass comes first, so that of two movements with the same number each gets its own line.
"""


def compare(theirs: Sequence[StatementLine], ours: Iterable[Entry], day: date) -> Comparison:
    """Compare the statement of `day` with our entries of that day and its neighbours, and of the refunds it names."""
    lines, entries = list(theirs), [entry for entry in ours if entry.may_stand_on(day)]
    pairs: list[tuple[StatementLine, Entry]] = []
    for line_key, entry_key in PASSES:
        found, lines, entries = _paired(lines, entries, line_key, entry_key)
        pairs += found
    unequal = [_amount(line, entry) for line, entry in pairs if _money(line) != _money(entry)]
    missing = [_missing_here(line) for line in lines]
    there = sorted([*unequal, *missing], key=lambda difference: difference.line or 0)
    absent = sorted((entry for entry in entries if (entry.due_on or entry.day) == day), key=lambda entry: entry.key)
    return Comparison([entry for _, entry in pairs], [*there, *(_missing_there(entry) for entry in absent)])


def _paired(
    lines: Sequence[StatementLine], entries: Sequence[Entry], line_key: PairKeyOf, entry_key: PairKeyOf
) -> tuple[list[tuple[StatementLine, Entry]], list[StatementLine], list[Entry]]:
    """(the pairs with equal keys, in order; the lines that are left; the entries that are left)."""
    waiting: dict[PairKey, deque[Entry]] = {}
    for entry in entries:
        key = entry_key(entry)
        if key is not None:
            waiting.setdefault(key, deque()).append(entry)
    pairs, left = [], []
    for line in lines:
        key = line_key(line)
        if key is not None and waiting.get(key):
            pairs.append((line, waiting[key].popleft()))
        else:
            left.append(line)
    taken = {id(entry) for _, entry in pairs}
    return pairs, left, [entry for entry in entries if id(entry) not in taken]


def _money(one: Listed) -> tuple[int, str]:
    return one.amount, one.currency


def _amount(line: StatementLine, entry: Entry) -> Difference:
    theirs = line.currency if line.currency != entry.currency else None
    return Difference(
        "amount",
        entry.kind,
        entry.number or line.number or None,
        entry.trade_no,
        entry.amount,
        line.amount,
        entry.currency,
        theirs,
        entry.order_id,
        line.line,
    )


def _missing_here(line: StatementLine) -> Difference:
    return Difference(
        "missing_here",
        line.kind,
        line.number or None,
        line.trade_no,
        None,
        line.amount,
        line.currency,
        None,
        None,
        line.line,
        line.capture_no,
    )


def _missing_there(entry: Entry) -> Difference:
    return Difference(
        "missing_there",
        entry.kind,
        entry.number,
        entry.trade_no,
        entry.amount,
        None,
        entry.currency,
        None,
        entry.order_id,
        None,
    )
