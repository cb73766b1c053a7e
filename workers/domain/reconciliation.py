"""A provider's day statement against what we hold (R-10): what is missing on either side, what differs.

Amounts are minor units. A row of a statement is found by our number and kind; a capture that another system of the shop
collected has no number of ours and is found by the provider's own. A row that one statement listed is not searched on
another: providers keep days of their own, and list a refund when they accept it or when it is done.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, Protocol, TypeAlias, TypeVar

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


class Line(Listed, Protocol):
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


A = TypeVar("A", bound=Listed)
B = TypeVar("B", bound=Listed)
Key: TypeAlias = Callable[[Listed], object]
PASSES: tuple[tuple[Key, Key], ...] = (
    *(
        (same, same)
        for same in (
            lambda one: one.number and (one.kind, one.number, one.trade_no, one.amount, one.currency),
            lambda one: one.number and (one.kind, one.number, one.trade_no),
            lambda one: one.number and (one.kind, one.number, one.amount, one.currency),
            lambda one: one.number and (one.kind, one.number),
        )
    ),
    (lambda one: one.kind == "capture" and one.trade_no, lambda one: _numberless(one) and one.trade_no),
    (lambda one: _numberless(one) and one.trade_no, lambda one: one.kind == "capture" and one.trade_no),
)
"""How a line and an entry find each other, the surest first, so that of two with one number each gets its own."""


def compare(theirs: Sequence[Line], ours: Iterable[Entry], day: date) -> Comparison:
    """The statement of `day` against what we hold of that day and its neighbours, and of the refunds that it names."""
    lines, entries = list(theirs), [entry for entry in ours if entry.may_stand_on(day)]
    pairs: list[tuple[Line, Entry]] = []
    for line_key, entry_key in PASSES:
        found, lines, entries = _paired(lines, entries, line_key, entry_key)
        pairs += found
    unequal = [_amount(line, entry) for line, entry in pairs if _money(line) != _money(entry)]
    there = sorted([*unequal, *map(_missing_here, lines)], key=lambda difference: difference.line or 0)
    absent = sorted((entry for entry in entries if (entry.due_on or entry.day) == day), key=lambda entry: entry.key)
    return Comparison([entry for _, entry in pairs], [*there, *map(_missing_there, absent)])


def _paired(
    lines: Sequence[A], entries: Sequence[B], line_key: Key, entry_key: Key
) -> tuple[list[tuple[A, B]], list[A], list[B]]:
    """(those with equal keys, in order; the lines and the entries that are left)."""
    waiting: dict[object, list[B]] = defaultdict(list)
    for entry in reversed(entries):
        waiting[entry_key(entry)].append(entry)
    pairs, left = [], []
    for line in lines:
        key = line_key(line)
        if key and waiting.get(key):
            pairs.append((line, waiting[key].pop()))
        else:
            left.append(line)
    taken = {id(entry) for _, entry in pairs}
    return pairs, left, [entry for entry in entries if id(entry) not in taken]


def _numberless(one: Listed) -> bool:
    return one.kind == "capture" and one.number in (None, "", one.trade_no)


def _money(one: Listed) -> tuple[int, str]:
    return one.amount, one.currency


def _amount(line: Line, entry: Entry) -> Difference:
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


def _missing_here(line: Line) -> Difference:
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
