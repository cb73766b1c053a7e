"""Stock counters and their holders: an order reserves all or nothing, then commits or releases once (S4-13 to S4-15).

    holder is    reserve           commit      release              restock
    -----------  ----------------  ----------  -------------------  -------------------
    unknown      locked or refused again later tombstone            again later
    reserved     answered again    deducted    unlocked             again later
    refused      answered again    -           nothing              -
    released     refused           -           nothing              -
    committed    answered again    nothing     -                    taken back
    restocked    answered again    nothing     -                    nothing

"-" is a discrepancy: the handler announces it and nothing changes. Units that a holder brings back are on hand again,
in quarantine or written off; the holder is restocked once all its units came back, whatever became of them.

An order that is reinstated reserves in another turn: that is tried again later until the turn before is released, and
from then on the holder is as unknown, with ledger entries of its own. Messages of an earlier turn change nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from workers.domain.codes import Code
from workers.domain.stock_counters import (
    NO_HOLDER,
    ON_HAND_MAX,
    RETURNED,
    Counter,
    LedgerEntry,
    Place,
    StockOp,
    apply,
)


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
    """The reservation of one order. `state` is None before its first message. `back` are the units that came back.

    All that it has is of this `turn`.
    """

    id: int
    group_id: int
    state: HolderState | None = None
    turn: int = 0
    reserved: dict[Place, int] = field(default_factory=dict)
    back: dict[Place, int] = field(default_factory=dict)
    refs: set[str] = field(default_factory=set)

    @property
    def ref(self) -> str:
        """The ref of the ledger entries that reserve, commit and release in this turn."""
        return ref_of(self.turn)


def ref_of(turn: int) -> str:
    """The ref of the ledger entries of a turn. It is empty in the first one."""
    return f"turn:{turn}" if turn else ""


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

    def reserve(
        self, group_id: int, wants: Sequence[Want], *, in_time: bool, turn: int = 0
    ) -> ReservationAnswer | None:
        """Lock every line or none. A repeated message gets the same answer again.

        None means later: the turn before has not ended yet.
        """
        holders = [self.holders[holder_id] for holder_id in sorted({want.holder_id for want in wants})]
        behind = [holder for holder in holders if holder.turn < turn]
        if any(holder.state is not HolderState.RELEASED for holder in behind):
            return None
        states = {holder.state for holder in holders if holder.turn == turn}
        if HolderState.RELEASED in states or any(holder.turn > turn for holder in holders):
            return TOO_LATE
        if states & GRANTED_STATES:
            return GRANTED
        if HolderState.REFUSED in states:
            return ReservationAnswer(SHORT)
        short = self._shortages(wants) if in_time else ()
        granted = in_time and not short
        for holder in holders:
            holder.group_id = group_id
            if holder in behind:
                holder.turn, holder.reserved = turn, {}
            self._set(holder, HolderState.RESERVED if granted else HolderState.REFUSED)
        if not granted:
            return ReservationAnswer(SHORT, short) if short else TOO_LATE
        for (holder_id, place), qty in _summed(wants).items():
            self.holders[holder_id].reserved[place] = qty
            self._book(holder_id, place, StockOp.RESERVE, ref_of(turn), qty)
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

    def release(self, holder_id: int, turn: int | None = None) -> StockVerdict:
        """End the lock of this turn, or of whichever it is. Before its reserve, leave a tombstone that refuses it."""
        holder = self.holders[holder_id]
        if turn is not None and turn != holder.turn:
            return self._release_other(holder, turn)
        match holder.state:
            case None:
                self._set(holder, HolderState.RELEASED)
            case HolderState.RESERVED:
                self._book_all(holder, StockOp.RELEASE)
                self._set(holder, HolderState.RELEASED)
            case HolderState.COMMITTED | HolderState.RESTOCKED:
                return StockVerdict.DISCREPANCY
        return StockVerdict.DONE

    def restock(self, holder_id: int, ref: str, lines: Mapping[tuple[Place, StockOp], int]) -> StockVerdict:
        """Take units back, once per `ref`: those of `lines`, or without lines all that are left, as sellable."""
        holder = self.holders[holder_id]
        if holder.state in (None, HolderState.RESERVED):
            return StockVerdict.LATER
        if holder.state in (HolderState.REFUSED, HolderState.RELEASED):
            return StockVerdict.DISCREPANCY
        if ref in holder.refs:
            return StockVerdict.DONE
        left = {place: qty - holder.back.get(place, 0) for place, qty in holder.reserved.items()}
        coming = dict(lines) or {(place, StockOp.RESTOCK): qty for place, qty in left.items() if qty > 0}
        for (place, _), qty in coming.items():
            left[place] = left.get(place, 0) - qty
        if any(qty < 0 for qty in left.values()):
            return StockVerdict.DISCREPANCY
        for (place, op), qty in coming.items():
            assert op in RETURNED, f"{op} brings nothing back"
            holder.back[place] = holder.back.get(place, 0) + qty
            self._book(holder.id, place, op, ref, qty)
        holder.refs.add(ref)
        if not any(left.values()):
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

    def end_quarantine(self, place: Place, qty: int, ref: str, *, sellable: bool) -> Counter | None:
        """Make units in quarantine sellable, or write them off. Returns None if fewer are in quarantine."""
        counter = self.counters.get(place)
        if counter is None or qty > counter.quarantined or counter.on_hand + qty > ON_HAND_MAX:
            return None
        self._book(NO_HOLDER, place, StockOp.CLEAR if sellable else StockOp.DISCARD, ref, qty)
        return counter

    def transfer(self, sku_ids: Mapping[str, int], origin: str, target: str, ref: str) -> tuple[Short, ...]:
        """Move units of these SKUs from one warehouse to the other, all or none (R-20). Returns what is short there."""
        wants = [Want(NO_HOLDER, (sku_id, origin), qty) for sku_id, qty in sku_ids.items()]
        short = self._shortages(wants)
        for sku_id, qty in () if short else sku_ids.items():
            self._book(NO_HOLDER, (sku_id, origin), StockOp.TRANSFER_OUT, f"{target}:{ref}", qty)
            self._book(NO_HOLDER, (sku_id, target), StockOp.TRANSFER_IN, f"{origin}:{ref}", qty)
        return short

    def sellable(self, place: Place) -> int:
        """Return the units that can be reserved there now."""
        counter = self.counters.get(place)
        return counter.sellable if counter else 0

    def changed_holders(self) -> list[Holder]:
        """The holders that changed and must be written, sorted by id."""
        return [self.holders[holder_id] for holder_id in sorted(self.touched)]

    def _release_other(self, holder: Holder, turn: int) -> StockVerdict:
        if turn < holder.turn:
            return StockVerdict.DONE
        if holder.state not in (None, HolderState.RELEASED):
            return StockVerdict.LATER
        holder.turn = turn
        self._set(holder, HolderState.RELEASED)
        return StockVerdict.DONE

    def _shortages(self, wants: Sequence[Want]) -> tuple[Short, ...]:
        total: dict[Place, int] = {}
        for want in wants:
            total[want.place] = total.get(want.place, 0) + want.qty
        have = {place: self.sellable(place) for place in total}
        return tuple(Short(place, qty, have[place]) for place, qty in total.items() if qty > have[place])

    def _book_all(self, holder: Holder, op: StockOp) -> None:
        for place, qty in holder.reserved.items():
            self._book(holder.id, place, op, holder.ref, qty)

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
