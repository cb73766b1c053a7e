"""Stock counters and their holders: an order reserves all or nothing, then commits or releases once (S4-13 to S4-15).

    holder is    reserve           commit      release              restock
    -----------  ----------------  ----------  -------------------  -------------------
    unknown      locked or refused again later tombstone            again later
    reserved     answered again    deducted    unlocked             again later
    refused      answered again    -           nothing              -
    released     refused           -           nothing              -
    committed    answered again    nothing     -                    on hand again
    restocked    answered again    nothing     -                    nothing

"-" is a discrepancy: the handler announces it and nothing changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from workers.domain.codes import Code

NO_HOLDER = 0
"""The holder id of ledger entries that belong to no order: goods that arrive, and corrections."""
ON_HAND_MAX = 2_000_000_000  # units: fits the 32-bit counters with room to spare
Place = tuple[str, str]
"""(sku, warehouse)"""


@dataclass
class Counter:
    """The units of one SKU in one warehouse. 0 <= locked <= on_hand always holds."""

    on_hand: int
    locked: int

    @property
    def sellable(self) -> int:
        return self.on_hand - self.locked


class StockOp(StrEnum):
    """The kinds of ledger entries; `apply` says what each does to its counter."""

    RECEIVE = "receive"
    ADJUST = "adjust"
    RESERVE = "reserve"
    RELEASE = "release"
    COMMIT = "commit"
    RESTOCK = "restock"


class LedgerEntry(NamedTuple):
    """One change of one counter. (holder, place, op, ref) is unique."""

    holder_id: int
    place: Place
    op: StockOp
    ref: str
    qty: int


def apply(counter: Counter, op: StockOp, qty: int) -> None:
    """Apply a ledger entry to its counter. Applying the whole ledger to empty counters gives the counters back."""
    match op:
        case StockOp.RECEIVE | StockOp.RESTOCK | StockOp.ADJUST:
            counter.on_hand += qty
        case StockOp.RESERVE:
            counter.locked += qty
        case StockOp.RELEASE:
            counter.locked -= qty
        case StockOp.COMMIT:
            counter.locked -= qty
            counter.on_hand -= qty
    assert 0 <= counter.locked <= counter.on_hand, f"{op} of {qty} would leave {counter}"


class HolderState(StrEnum):
    """The state of a holder's reservation."""

    RESERVED = "reserved"
    REFUSED = "refused"
    RELEASED = "released"
    COMMITTED = "committed"
    RESTOCKED = "restocked"


GRANTED_STATES = frozenset({HolderState.RESERVED, HolderState.COMMITTED, HolderState.RESTOCKED})


@dataclass
class Holder:
    """The reservation of one order. `state` is None before its first message."""

    id: int
    group_id: int
    state: HolderState | None = None
    reserved: dict[Place, int] = field(default_factory=dict)
    restocked: dict[Place, int] = field(default_factory=dict)
    refs: set[str] = field(default_factory=set)


class Want(NamedTuple):
    """The units of one place that one holder wants."""

    holder_id: int
    place: Place
    qty: int


@dataclass(frozen=True)
class Short:
    """A place that has fewer units than wanted."""

    place: Place
    want: int
    have: int


class StockVerdict(StrEnum):
    """The end of a stock message: it is done, comes too early and is retried, or contradicts its holder's state."""

    DONE = "done"
    LATER = "later"
    DISCREPANCY = "discrepancy"


@dataclass(frozen=True)
class ReservationAnswer:
    """The answer to a reservation. If it has no code, every line is locked."""

    code: Code | None = None
    short: tuple[Short, ...] = ()


GRANTED = ReservationAnswer()
TOO_LATE = ReservationAnswer(Code.ORDER_SAGA_TIMEOUT)
SHORT = Code.INVENTORY_INSUFFICIENT


class StockBatch:
    """The counters and holders of one batch. Messages change them in order of arrival; the ledger has every change."""

    def __init__(self, counters: dict[Place, Counter], holders: dict[int, Holder]) -> None:
        self.counters = counters
        self.holders = holders
        self.ledger: list[LedgerEntry] = []
        self.touched: set[int] = set()

    def reserve(self, group_id: int, wants: Sequence[Want], *, in_time: bool) -> ReservationAnswer:
        """Lock every line or none. A repeated message gets the same answer again."""
        holders = [self.holders[holder_id] for holder_id in sorted({want.holder_id for want in wants})]
        states = {holder.state for holder in holders}
        if HolderState.RELEASED in states:
            return TOO_LATE
        if states & GRANTED_STATES:
            return GRANTED
        if HolderState.REFUSED in states:
            return ReservationAnswer(SHORT)
        short = self._shortages(wants) if in_time else ()
        granted = in_time and not short
        for holder in holders:
            holder.group_id = group_id
            self._set(holder, HolderState.RESERVED if granted else HolderState.REFUSED)
        if not granted:
            return ReservationAnswer(SHORT, short) if short else TOO_LATE
        for (holder_id, place), qty in _summed(wants).items():
            self.holders[holder_id].reserved[place] = qty
            self._book(holder_id, place, StockOp.RESERVE, "", qty)
        return GRANTED

    def commit(self, holder_id: int) -> StockVerdict:
        """Turn the lock into a deduction, once."""
        holder = self.holders[holder_id]
        match holder.state:
            case None:
                return StockVerdict.LATER
            case HolderState.RESERVED:
                self._book_all(holder, StockOp.COMMIT)
                self._set(holder, HolderState.COMMITTED)
            case HolderState.REFUSED | HolderState.RELEASED:
                return StockVerdict.DISCREPANCY
        return StockVerdict.DONE

    def release(self, holder_id: int) -> StockVerdict:
        """End the lock. If the reserve has not come yet, leave a tombstone that refuses it."""
        holder = self.holders[holder_id]
        match holder.state:
            case None:
                self._set(holder, HolderState.RELEASED)
            case HolderState.RESERVED:
                self._book_all(holder, StockOp.RELEASE)
                self._set(holder, HolderState.RELEASED)
            case HolderState.COMMITTED | HolderState.RESTOCKED:
                return StockVerdict.DISCREPANCY
        return StockVerdict.DONE

    def restock(self, holder_id: int, ref: str, lines: Mapping[Place, int]) -> StockVerdict:
        """Put units back, once per `ref`: those of `lines`, or without lines all that are left."""
        holder = self.holders[holder_id]
        if holder.state in (None, HolderState.RESERVED):
            return StockVerdict.LATER
        if holder.state in (HolderState.REFUSED, HolderState.RELEASED):
            return StockVerdict.DISCREPANCY
        if ref in holder.refs:
            return StockVerdict.DONE
        left = {place: qty - holder.restocked.get(place, 0) for place, qty in holder.reserved.items()}
        back = dict(lines) or {place: qty for place, qty in left.items() if qty > 0}
        if any(qty > left.get(place, 0) for place, qty in back.items()):
            return StockVerdict.DISCREPANCY
        for place, qty in back.items():
            holder.restocked[place] = holder.restocked.get(place, 0) + qty
            self._book(holder.id, place, StockOp.RESTOCK, ref, qty)
        holder.refs.add(ref)
        if holder.restocked == holder.reserved:
            self._set(holder, HolderState.RESTOCKED)
        return StockVerdict.DONE

    def receive(self, place: Place, qty: int, ref: str) -> Counter:
        """Add goods that arrived, and return their counter."""
        self._book(NO_HOLDER, place, StockOp.RECEIVE, ref, qty)
        return self.counters[place]

    def adjust(self, place: Place, delta: int, ref: str) -> Counter | None:
        """Correct a counter. Returns None if it would fall below its locked units, or if there was never stock."""
        counter = self.counters.get(place)
        if counter is None or not counter.locked <= counter.on_hand + delta <= ON_HAND_MAX:
            return None
        self._book(NO_HOLDER, place, StockOp.ADJUST, ref, delta)
        return counter

    def sellable(self, place: Place) -> int:
        """Return the units that can be reserved there now."""
        counter = self.counters.get(place)
        return counter.sellable if counter else 0

    def changed_holders(self) -> list[Holder]:
        """The holders that changed and must be written, sorted by id."""
        return [self.holders[holder_id] for holder_id in sorted(self.touched)]

    def _shortages(self, wants: Sequence[Want]) -> tuple[Short, ...]:
        total: dict[Place, int] = {}
        for want in wants:
            total[want.place] = total.get(want.place, 0) + want.qty
        have = {place: self.sellable(place) for place in total}
        return tuple(Short(place, qty, have[place]) for place, qty in total.items() if qty > have[place])

    def _book_all(self, holder: Holder, op: StockOp) -> None:
        for place, qty in holder.reserved.items():
            self._book(holder.id, place, op, "", qty)

    def _book(self, holder_id: int, place: Place, op: StockOp, ref: str, qty: int) -> None:
        apply(self.counters[place], op, qty)
        self.ledger.append(LedgerEntry(holder_id, place, op, ref, qty))

    def _set(self, holder: Holder, state: HolderState) -> None:
        holder.state = state
        self.touched.add(holder.id)


def _summed(wants: Sequence[Want]) -> dict[tuple[int, Place], int]:
    sums: dict[tuple[int, Place], int] = {}
    for want in wants:
        key = (want.holder_id, want.place)
        sums[key] = sums.get(key, 0) + want.qty
    return sums
