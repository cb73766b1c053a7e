"""Stock under every sequence of messages, with repetitions and out of order (INV-01 to INV-03)."""

from collections import Counter as Tally
from dataclasses import dataclass, field, replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.stock_counters import NO_HOLDER, ON_HAND_MAX, RETURNED, Counter, LedgerEntry, Place, StockOp
from workers.domain.stock_reservations import (
    GRANTED,
    SHORT,
    TOO_LATE,
    Holder,
    ReservationAnswer,
    Short,
    StockBatch,
    StockVerdict,
    Want,
)

PLACES: list[Place] = [("tea", "main"), ("tea", "east"), ("cup", "main")]
ELSEWHERE: Place = ("tea", "nowhere")
"""A place that never received any stock."""
HOLDERS = [1, 2, 3, 4]
Message = tuple[str, ...]
BACK = {"parcel": StockOp.RESTOCK, "kept apart": StockOp.QUARANTINE, "written off": StockOp.WRITE_OFF}
SIGNS = {
    "reserve": (0, 1, 0), "release": (0, -1, 0), "commit": (-1, -1, 0), "quarantine": (0, 0, 1),
    "write_off": (0, 0, 0), "clear": (1, 0, -1), "discard": (0, 0, -1),
}  # fmt: skip
"""What an entry adds to the units on hand, locked and in quarantine."""


@dataclass
class Shelves:
    """The stock between batches, as the database would hold it. Each batch is read from it, as the store reads one."""

    counters: dict[Place, Counter]
    wants: dict[int, dict[Place, int]]
    ledger: list[LedgerEntry] = field(default_factory=list)
    holders: dict[int, Holder] = field(default_factory=dict)

    def batch(self) -> StockBatch:
        holders = {n: Holder(n, n, self.holders[n].state if n in self.holders else None) for n in HOLDERS}
        for entry in self.ledger:
            if entry.op == "reserve":
                holders[entry.holder_id].reserved[entry.place] = entry.qty
            elif entry.op in RETURNED:
                back = holders[entry.holder_id].back
                back[entry.place] = back.get(entry.place, 0) + entry.qty
                holders[entry.holder_id].refs.add(entry.ref)
        return StockBatch({place: replace(counter) for place, counter in self.counters.items()}, holders)

    def commit(self, batch: StockBatch) -> None:
        self.counters, self.ledger = batch.counters, self.ledger + batch.ledger
        self.holders |= {holder.id: holder for holder in batch.changed_holders()}

    def apply(self, batch: StockBatch, message: Message) -> StockVerdict | ReservationAnswer:
        op, holder_id, *rest = message
        number = int(holder_id)
        match op:
            case "reserve" | "reserve late":
                wants = [Want(number, place, qty) for place, qty in self.wants[number].items()]
                answer = batch.reserve(number, wants, in_time=op == "reserve")
                assert answer is not None
                return answer
            case "commit":
                return batch.commit(number)
            case "release":
                return batch.release(number)
            case "restock":
                return batch.restock(number, "cancel", {})
            case "parcel" | "kept apart" | "written off":
                place = next(iter(self.wants[number]))
                return batch.restock(number, f"parcel:{rest[0]}", {(place, BACK[op]): 1})
        raise AssertionError(op)

    def handle(self, *messages: Message) -> list[StockVerdict | ReservationAnswer]:
        """Handle messages as one batch, and check the invariants."""
        batch = self.batch()
        answers = [self.apply(batch, message) for message in messages]
        self.commit(batch)
        self.check()
        return answers

    def check(self) -> None:
        """The invariants that hold at every moment."""
        folded = {place: Counter(self.opening[place], 0) for place in PLACES}
        for entry in self.ledger:
            sign = SIGNS.get(entry.op, (1, 0, 0))
            folded[entry.place].on_hand += sign[0] * entry.qty
            folded[entry.place].locked += sign[1] * entry.qty
            folded[entry.place].quarantined += sign[2] * entry.qty
        assert folded == self.counters
        assert all(0 <= counter.locked <= counter.on_hand for counter in self.counters.values())
        assert all(counter.quarantined >= 0 for counter in self.counters.values())
        keys = [(entry.holder_id, entry.place, entry.op, entry.ref) for entry in self.ledger]
        assert len(set(keys)) == len(keys)
        for holder_id in HOLDERS:
            self.check_holder(holder_id)

    def check_holder(self, holder_id: int) -> None:
        sums: dict[str, Tally[Place]] = {op: Tally() for op in ("reserve", "commit", "release", "back")}
        for entry in self.ledger:
            if entry.holder_id == holder_id:
                sums["back" if entry.op in RETURNED else entry.op][entry.place] += entry.qty
        reserved = sums["reserve"]
        assert reserved in ({}, self.wants[holder_id]), "some lines of a reservation, not all"
        assert sums["commit"] in ({}, reserved)
        assert sums["release"] in ({}, reserved)
        assert not (sums["commit"] and sums["release"]), "deducted and unlocked"
        assert sums["back"] <= sums["commit"], "more came back than was deducted"
        refs = {(entry.ref, entry.op) for entry in self.ledger if entry.holder_id == holder_id and entry.op in RETURNED}
        assert len(refs) == len({ref for ref, _ in refs}), "one ref brought units back twice"
        restocked = holder_id in self.holders and self.holders[holder_id].state == "restocked"
        assert restocked is bool(sums["back"] and sums["back"] == sums["commit"])

    def __post_init__(self) -> None:
        self.opening = {place: counter.on_hand for place, counter in self.counters.items()}


quantities = st.dictionaries(st.sampled_from(PLACES), st.integers(1, 5), min_size=1)
shelves = st.builds(
    lambda on_hand, wants: Shelves(
        {place: Counter(qty, 0) for place, qty in zip(PLACES, on_hand, strict=True)},
        dict(zip(HOLDERS, wants, strict=True)),
    ),
    st.tuples(*[st.integers(0, 12)] * 3),
    st.tuples(*[quantities] * 4),
)
messages = st.one_of(
    st.tuples(st.sampled_from(["reserve", "reserve late", "commit", "release", "restock"]), st.sampled_from("1234")),
    st.tuples(st.sampled_from(["parcel", *BACK]), st.sampled_from("1234"), st.sampled_from("ab")),
)
batches = st.lists(st.lists(messages, min_size=1, max_size=6), max_size=12)


@given(shelves, batches)
def test_any_messages_in_any_order_leave_every_unit_explained(stock: Shelves, sequence: list[list[Message]]) -> None:
    for batch in sequence:
        stock.handle(*batch)


@given(shelves, batches)
def test_it_makes_no_difference_how_messages_are_cut_into_batches(
    stock: Shelves, sequence: list[list[Message]]
) -> None:
    alone = Shelves({place: Counter(c.on_hand, 0) for place, c in stock.counters.items()}, stock.wants)
    answers = [answer for batch in sequence for answer in stock.handle(*batch)]
    assert [answer for batch in sequence for m in batch for answer in alone.handle(m)] == answers
    assert (alone.counters, alone.ledger) == (stock.counters, stock.ledger)


@given(shelves, batches, messages)
def test_a_message_that_was_done_changes_nothing_the_second_time(
    stock: Shelves, sequence: list[list[Message]], message: Message
) -> None:
    for batch in sequence:
        stock.handle(*batch)
    first = stock.handle(message)
    before = (dict(stock.counters), list(stock.ledger), {n: h.state for n, h in stock.holders.items()})
    [again] = stock.handle(message)
    assert (stock.counters, stock.ledger, {n: h.state for n, h in stock.holders.items()}) == before
    if isinstance(again, ReservationAnswer):
        assert isinstance(first[0], ReservationAnswer)
        assert bool(again.code) is bool(first[0].code)
    else:
        assert [again] == first


LIVES: dict[tuple[Message, ...], str] = {
    (("reserve", "1"), ("commit", "1")): "committed",
    (("reserve", "1"), ("release", "1")): "released",
    (("reserve", "1"), ("commit", "1"), ("restock", "1")): "restocked",
    (("reserve", "1"), ("commit", "1"), ("parcel", "1", "a"), ("parcel", "1", "b")): "committed",
    (("reserve", "1"), ("commit", "1"), ("kept apart", "1", "a"), ("written off", "1", "b")): "committed",
}


@pytest.mark.parametrize(("life", "end"), LIVES.items(), ids=lambda value: value if isinstance(value, str) else None)
def test_what_comes_early_is_tried_again_until_the_end_is_the_same(life: tuple[Message, ...], end: str) -> None:
    def loaded_shelves() -> Shelves:
        wants = {PLACES[0]: 3, PLACES[2]: 1}
        return Shelves({place: Counter(5, 0) for place in PLACES}, dict.fromkeys(HOLDERS, wants))

    straight = loaded_shelves()
    for message in life:
        assert straight.handle(message)[0] in (GRANTED, StockVerdict.DONE)
    assert straight.holders[1].state == end
    for arrival in sorted(set(permutations(life * 2))):
        shuffled, waiting = loaded_shelves(), list(arrival)
        for _ in life:
            waiting = [m for m in waiting if shuffled.handle(m)[0] is StockVerdict.LATER]
        assert waiting == []
        assert shuffled.holders[1].state == end
        assert shuffled.counters == straight.counters


def one(on_hand: int = 5, **wants: int) -> Shelves:
    """Holders a, b, c, d (1 to 4) who want tea."""
    wanted = {n: {PLACES[0]: wants.get(name, 2)} for n, name in zip(HOLDERS, "abcd", strict=True)}
    return Shelves({place: Counter(on_hand, 0) for place in PLACES}, wanted)


TABLE = {
    None: {"reserve": GRANTED, "commit": "later", "release": "done", "restock": "later"},
    "reserved": {"reserve": GRANTED, "commit": "done", "release": "done", "restock": "later"},
    "refused": {
        "reserve": ReservationAnswer(SHORT),
        "commit": "discrepancy",
        "release": "done",
        "restock": "discrepancy",
    },
    "released": {"reserve": TOO_LATE, "commit": "discrepancy", "release": "done", "restock": "discrepancy"},
    "committed": {"reserve": GRANTED, "commit": "done", "release": "discrepancy", "restock": "done"},
    "restocked": {"reserve": GRANTED, "commit": "done", "release": "discrepancy", "restock": "done"},
}
PATHS: dict[str | None, list[Message]] = {
    None: [],
    "reserved": [("reserve", "1")],
    "refused": [("reserve late", "1")],
    "released": [("reserve", "1"), ("release", "1")],
    "committed": [("reserve", "1"), ("commit", "1")],
    "restocked": [("reserve", "1"), ("commit", "1"), ("restock", "1")],
}


@pytest.mark.parametrize("op", ["reserve", "commit", "release", "restock"])
@pytest.mark.parametrize("state", TABLE)
def test_what_a_message_means_in_each_state(state: str | None, op: str) -> None:
    stock = one()
    stock.handle(*PATHS[state])
    assert (stock.holders[1].state if 1 in stock.holders else None) == state
    [answer] = stock.handle((op, "1"))
    assert answer == TABLE[state][op]


def test_orders_are_granted_in_order_of_arrival_until_there_is_nothing_left() -> None:
    stock = one(5, a=3, b=3, c=2, d=1)
    answers = stock.handle(("reserve", "1"), ("reserve", "2"), ("reserve", "3"), ("reserve", "4"))
    assert answers == [
        GRANTED,
        ReservationAnswer(SHORT, (Short(PLACES[0], 3, 2),)),
        GRANTED,
        ReservationAnswer(SHORT, (Short(PLACES[0], 1, 0),)),
    ]
    assert stock.counters[PLACES[0]] == Counter(5, 5)


def test_one_short_line_locks_nothing_and_every_short_line_is_named() -> None:
    counters = {PLACES[0]: Counter(9, 0), PLACES[1]: Counter(1, 0), PLACES[2]: Counter(0, 0)}
    wants = {PLACES[0]: 1, PLACES[1]: 2, PLACES[2]: 3}
    stock = Shelves(counters, dict.fromkeys(HOLDERS, wants))
    [answer] = stock.handle(("reserve", "1"))
    assert answer == ReservationAnswer(SHORT, (Short(PLACES[1], 2, 1), Short(PLACES[2], 3, 0)))
    assert stock.ledger == []


def test_two_lines_of_one_place_are_added_up_before_they_are_compared() -> None:
    stock = one(5)
    batch = stock.batch()
    wants = [Want(1, PLACES[0], 3), Want(1, PLACES[0], 3)]
    assert batch.reserve(1, wants, in_time=True) == ReservationAnswer(SHORT, (Short(PLACES[0], 6, 5),))
    assert stock.batch().reserve(1, [Want(1, PLACES[0], 3), Want(1, PLACES[0], 2)], in_time=True) == GRANTED


def test_a_group_of_two_holders_is_locked_whole_or_not_at_all() -> None:
    batch = one(5).batch()
    short = [Want(1, PLACES[0], 3), Want(2, PLACES[0], 3)]
    refused = batch.reserve(9, short, in_time=True)
    assert refused is not None
    assert refused.code == SHORT
    assert [holder.state for holder in batch.changed_holders()] == ["refused", "refused"]
    enough = [Want(3, PLACES[0], 3), Want(4, PLACES[1], 3)]
    assert batch.reserve(8, enough, in_time=True) == GRANTED
    assert [(h.group_id, h.reserved) for h in batch.changed_holders()[2:]] == [(8, {PLACES[0]: 3}), (8, {PLACES[1]: 3})]


def test_a_group_is_refused_when_one_of_its_holders_was_released_before() -> None:
    batch = one(9).batch()
    batch.release(2)
    assert batch.reserve(9, [Want(1, PLACES[0], 1), Want(2, PLACES[0], 1)], in_time=True) == TOO_LATE
    assert batch.ledger == []


def test_a_place_that_never_received_stock_has_none() -> None:
    batch = one().batch()
    assert batch.reserve(1, [Want(1, ELSEWHERE, 1)], in_time=True) == ReservationAnswer(
        SHORT, (Short(ELSEWHERE, 1, 0),)
    )


def test_a_reservation_after_its_deadline_locks_nothing_though_there_is_enough() -> None:
    stock = one(9)
    assert stock.handle(("reserve late", "1")) == [TOO_LATE]
    assert stock.counters[PLACES[0]] == Counter(9, 0)


def test_a_release_before_its_reserve_leaves_a_tombstone() -> None:
    """RY locks such stock for ever: its check for empty rollbacks is a stub."""
    stock = one(9)
    assert stock.handle(("release", "1"), ("reserve", "1")) == [StockVerdict.DONE, TOO_LATE]
    assert stock.counters[PLACES[0]] == Counter(9, 0)


def test_a_retry_after_half_a_reservation_cannot_happen_and_a_repeat_deducts_every_line_once() -> None:
    """RY returns from inside its loop when one SKU was deducted before: the rest never is."""
    stock = Shelves({place: Counter(5, 0) for place in PLACES}, dict.fromkeys(HOLDERS, dict.fromkeys(PLACES, 2)))
    stock.handle(("reserve", "1"), ("commit", "1"), ("reserve", "1"), ("commit", "1"))
    assert set(map(str, stock.counters.values())) == {str(Counter(3, 0))}


def test_units_that_come_back_count_once_whatever_becomes_of_them() -> None:
    place = PLACES[0]
    batch = one(9, a=3).batch()
    batch.reserve(1, [Want(1, place, 3)], in_time=True)
    batch.commit(1)
    mixed = {(place, StockOp.QUARANTINE): 1, (place, StockOp.WRITE_OFF): 1}
    assert batch.restock(1, "case:1:5", mixed) is StockVerdict.DONE
    assert batch.restock(1, "case:1:5", {(place, StockOp.RESTOCK): 1}) is StockVerdict.DONE
    assert (batch.counters[place], batch.holders[1].state) == (Counter(6, 0, 1), "committed")
    assert batch.restock(1, "case:1:6", {(place, StockOp.QUARANTINE): 2}) is StockVerdict.DISCREPANCY
    assert batch.restock(1, "case:1:7", {(place, op): 1 for op in RETURNED}) is StockVerdict.DISCREPANCY
    assert batch.restock(1, "cancel", {}) is StockVerdict.DONE
    assert (batch.counters[place], batch.holders[1].state) == (Counter(7, 0, 1), "restocked")


def test_a_quarantine_ends_for_as_many_units_as_are_in_it() -> None:
    place = PLACES[0]
    batch = StockBatch({place: Counter(4, 4, 3)}, {})
    assert batch.end_quarantine(place, 4, "r1", sellable=True) is None
    assert batch.end_quarantine(ELSEWHERE, 1, "r1", sellable=True) is None
    assert batch.end_quarantine(place, 2, "r1", sellable=True) == Counter(6, 4, 1)
    assert batch.end_quarantine(place, 1, "r2", sellable=False) == Counter(6, 4, 0)
    assert [(entry.op, entry.qty) for entry in batch.ledger] == [("clear", 2), ("discard", 1)]


def test_parcels_bring_back_what_they_carried_and_never_more_than_was_deducted() -> None:
    batch = one(9, a=3).batch()
    batch.reserve(1, [Want(1, PLACES[0], 3)], in_time=True)
    batch.commit(1)
    assert batch.restock(1, "parcel:1", {(PLACES[0], StockOp.RESTOCK): 2}) is StockVerdict.DONE
    assert batch.restock(1, "parcel:2", {(PLACES[0], StockOp.RESTOCK): 2}) is StockVerdict.DISCREPANCY
    assert batch.restock(1, "parcel:3", {(PLACES[2], StockOp.RESTOCK): 1}) is StockVerdict.DISCREPANCY
    assert batch.restock(1, "parcel:4", {}) is StockVerdict.DONE
    assert (batch.counters[PLACES[0]], batch.holders[1].state) == (Counter(9, 0), "restocked")


ADJUSTED = [(-4, Counter(6, 6)), (-5, None), (1, Counter(11, 6)), (ON_HAND_MAX - 10, Counter(ON_HAND_MAX, 6)),
            (ON_HAND_MAX - 9, None)]  # fmt: skip


@pytest.mark.parametrize(("delta", "after"), ADJUSTED, ids=str)
def test_a_correction_never_takes_what_is_locked(delta: int, after: Counter | None) -> None:
    batch = StockBatch({PLACES[0]: Counter(10, 6)}, {})
    assert batch.adjust(PLACES[0], delta, "r1") == after
    assert batch.ledger == ([LedgerEntry(NO_HOLDER, PLACES[0], StockOp.ADJUST, "r1", delta)] if after else [])


def test_goods_that_arrive_are_on_hand_and_a_place_without_stock_cannot_be_corrected() -> None:
    batch = StockBatch({PLACES[0]: Counter(0, 0)}, {})
    assert batch.receive(PLACES[0], 7, "note-1") == Counter(7, 0)
    assert batch.adjust(ELSEWHERE, 1, "r1") is None


AGAIN = [Want(1, PLACES[0], 2)]


def second_turn(*first: Message, on_hand: int = 5) -> StockBatch:
    """Holder 1 after these messages of the first turn, each written and read again."""
    stock = one(on_hand, a=2)
    stock.handle(*first)
    return stock.batch()


def test_a_released_holder_reserves_once_more_in_another_turn() -> None:
    batch = second_turn(("reserve", "1"), ("release", "1"))
    for _ in range(2):
        assert batch.reserve(1, AGAIN, in_time=True, turn=1) == GRANTED
    assert [(entry.op, entry.ref) for entry in batch.ledger] == [("reserve", "turn:1")]
    assert batch.release(1, 0) is StockVerdict.DONE  # a repeat of the first release is too late to end this turn
    assert batch.holders[1].state == "reserved"
    assert batch.commit(1) is StockVerdict.DONE
    assert batch.counters[PLACES[0]] == Counter(3, 0)


def test_a_turn_waits_until_the_one_before_is_released() -> None:
    for first in ((), (("reserve", "1"),), (("reserve", "1"), ("commit", "1"))):
        batch = second_turn(*first)
        assert batch.reserve(1, AGAIN, in_time=True, turn=1) is None
        assert batch.ledger == []


def test_a_turn_that_was_released_or_refused_stays_so() -> None:
    batch = second_turn(("reserve", "1"), ("release", "1"))
    assert batch.release(1, 1) is StockVerdict.DONE
    assert batch.reserve(1, AGAIN, in_time=True, turn=1) == TOO_LATE
    batch = second_turn(("reserve", "1"), ("release", "1"))
    assert batch.reserve(1, AGAIN, in_time=False, turn=1) == TOO_LATE
    for _ in range(2):
        answer = batch.reserve(1, AGAIN, in_time=True, turn=1)
        assert answer == ReservationAnswer(SHORT)
    assert batch.release(1, 1) is StockVerdict.DONE
    assert batch.ledger == []


def test_the_release_of_a_turn_waits_for_the_release_of_the_one_before() -> None:
    batch = second_turn(("reserve", "1"))
    assert batch.release(1, 1) is StockVerdict.LATER
    assert batch.release(1, 0) is StockVerdict.DONE
    assert batch.release(1, 1) is StockVerdict.DONE
    assert batch.reserve(1, AGAIN, in_time=True) == TOO_LATE  # a message of the first turn
    assert batch.counters[PLACES[0]] == Counter(5, 0)
