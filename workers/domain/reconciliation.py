"""A provider's day statement against what we hold (R-10): what is missing on either side, what differs.

Amounts are minor units. A row of a statement is found by our number and kind; a capture that another system of the shop
collected has no number of ours and is found by the provider's own. A row that one statement listed is not searched on
another: providers keep days of their own, and list a refund when they accept it or when it is done.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, Protocol, TypeAlias

Movement: TypeAlias = Literal["capture", "refund"]
LATE = timedelta(hours=2)
"""What moved so shortly before midnight may stand on the next day's statement: UnionPay's day ends at 23:00."""
NEIGHBOUR = timedelta(days=1)
"""How far the provider's day and ours are apart at most: clocks around midnight, time zones."""


class Listed(Protocol):
    """A line of a statement, and what we hold: money that moved."""

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
    """A line of a statement. `number` is ours; empty, or the provider's own once more, where it has none of us."""

    @property
    def line(self) -> int: ...


@dataclass(frozen=True)
class Entry:
    """Money that moved, as we hold it. `day` is its own in the business time zone, None while a refund is under way.

    `number` is what we gave to the provider. `stated_on` is the day of the statement that listed it, `due_on` that of
    the last one that may: only there it is missed.
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
        """Unique within the provider: a capture by the provider's number, a refund by ours."""
        return self.kind, self.trade_no if self.kind == "capture" else self.number or ""

    def may_stand_on(self, day: date) -> bool:
        """Whether it is looked for on the statement of this day."""
        if self.stated_on is not None:
            return self.stated_on == day
        return self.kind == "refund" or (self.day is not None and abs(self.day - day) <= NEIGHBOUR)


@dataclass(frozen=True)
class Difference:
    """One thing to look at. `ours` and `theirs` are amounts; `currency` is ours, theirs where nothing is ours."""

    kind: Literal["missing_here", "missing_there", "amount"]
    movement: Movement
    number: str | None
    trade_no: str
    ours: int | None
    theirs: int | None
    currency: str
    their_currency: str | None
    order_id: int | None
    line: int | None


@dataclass(frozen=True)
class Comparison:
    """What of ours the statement lists, and every difference."""

    listed: Sequence[Entry]
    differences: Sequence[Difference]

    @property
    def matched(self) -> int:
        """How many lines say what we hold."""
        return len(self.listed) - sum(difference.kind == "amount" for difference in self.differences)


PairKey: TypeAlias = tuple[object, ...]
PairKeyOf: TypeAlias = Callable[[Listed], PairKey | None]
"""What a line and an entry must have in common to be one movement; None where it cannot be found by this."""


def by_everything(one: Listed) -> PairKey | None:
    """Our number, the provider's number and the money."""
    return (one.kind, one.number, one.trade_no, one.amount, one.currency) if one.number else None


def by_both_numbers(one: Listed) -> PairKey | None:
    """Our number and the provider's."""
    return (one.kind, one.number, one.trade_no) if one.number else None


def by_number_and_money(one: Listed) -> PairKey | None:
    """Our number and the money."""
    return (one.kind, one.number, one.amount, one.currency) if one.number else None


def by_number(one: Listed) -> PairKey | None:
    """Our number."""
    return (one.kind, one.number) if one.number else None


def by_trade_number(one: Listed) -> PairKey | None:
    """The provider's number of a capture."""
    return (one.trade_no,) if one.kind == "capture" and one.trade_no else None


def by_trade_number_alone(one: Listed) -> PairKey | None:
    """The provider's number of a capture that has no number of ours: another system of the shop collected it."""
    numberless = one.number in (None, "", one.trade_no)
    return by_trade_number(one) if numberless else None


PASSES: tuple[tuple[PairKeyOf, PairKeyOf], ...] = (
    (by_everything, by_everything),
    (by_both_numbers, by_both_numbers),
    (by_number_and_money, by_number_and_money),
    (by_number, by_number),
    (by_trade_number, by_trade_number_alone),
    (by_trade_number_alone, by_trade_number),
)
"""How a line and an entry find each other, the surest way first, so that of two with one number each gets its own.

The key of the line comes first, then that of the entry.
"""


def compare(theirs: Sequence[StatementLine], ours: Iterable[Entry], day: date) -> Comparison:
    """The statement of `day` against what we hold of that day and its neighbours, and of the refunds that it names."""
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
    """(those with equal keys, in order; the lines and the entries that are left)."""
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
