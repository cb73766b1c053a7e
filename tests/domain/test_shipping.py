"""Parcels: facts come late, twice and out of order, and the end is the same (R-15)."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.shipments import Status
from tests.domain.builders import NOW, ORDER_ID, order
from workers.domain.order import State, Trigger
from workers.domain.shipping import Parcel, ParcelState, advance, next_trigger, unpacked

COLUMNS = {
    "ob": "outbound", "pu": "picked_up", "it": "in_transit", "od": "out_for_delivery", "dv": "delivered",
    "dl": "delayed", "rf": "refused", "ud": "undeliverable", "ls": "lost", "rg": "returning", "rt": "returned",
    "lc": "loss_confirmed",
}  # fmt: skip

TABLE = """
                    ob  pu  it  od  dv  dl  rf  ud  ls  rg  rt  lc
booked              ob  pu  it  od  dv  .   rf  ud  ls  rg  rt  lc
outbound            .   pu  it  od  dv  .   rf  ud  ls  rg  rt  lc
picked_up           .   .   it  od  dv  .   rf  ud  ls  rg  rt  lc
in_transit          .   .   .   od  dv  .   rf  ud  ls  rg  rt  lc
out_for_delivery    .   .   .   .   dv  .   rf  ud  ls  rg  rt  lc
delivered           .   .   .   .   .   .   .   .   .   .   .   .
refused             .   .   .   .   .   .   .   .   .   rg  rt  lc
undeliverable       .   .   .   .   .   .   .   .   .   rg  rt  lc
lost                .   .   .   .   .   .   .   .   .   rg  rt  lc
returning           .   .   .   .   .   .   .   .   .   .   rt  lc
returned            .   .   .   .   .   .   .   .   .   .   .   .
loss_confirmed      .   .   .   .   .   .   .   .   .   .   .   .
cancelled           .   .   .   .   .   .   .   .   .   .   .   .
"""
"""Row: the parcel's state. Column: the status that the carrier reports. A dot: the status is recorded only."""

STATUSES = sorted(get_args(Status))
RANKS = {
    "booked": 0, "outbound": 1, "picked_up": 2, "in_transit": 3, "out_for_delivery": 4, "refused": 5,
    "undeliverable": 5, "lost": 5, "returning": 6, "delivered": 7, "returned": 7, "loss_confirmed": 7, "cancelled": 7,
}  # fmt: skip


def cells() -> list[tuple[str, str, str]]:
    """(state, status, state after it) for every cell."""
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [
        (state, COLUMNS[column], state if cell == "." else COLUMNS[cell])
        for state, *row in rows
        for column, cell in zip(header, row, strict=True)
    ]


def test_the_table_has_a_cell_for_every_state_and_every_status_of_the_wire() -> None:
    assert {(state, status) for state, status, _ in cells()} == {(s, t) for s in RANKS for t in STATUSES}


@pytest.mark.parametrize(("state", "status", "after"), cells())
def test_a_fact_moves_a_parcel_where_the_table_says(state: str, status: str, after: str) -> None:
    assert advance(ParcelState(state), status) == after


@given(st.lists(st.sampled_from(STATUSES), max_size=30))
def test_no_fact_moves_a_parcel_back(facts: list[str]) -> None:
    state = ParcelState.BOOKED
    for fact in facts:
        after = advance(state, fact)
        assert after == state or RANKS[after] > RANKS[state]
        state = after


UNDER_WAY = ["outbound", "picked_up", "in_transit", "out_for_delivery"]
ENDS = [
    [], ["delivered"], ["refused"], ["refused", "returning"], ["refused", "returning", "returned"],
    ["undeliverable", "returning", "returned"], ["undeliverable", "returned"], ["lost"], ["lost", "loss_confirmed"],
]  # fmt: skip


@st.composite
def histories(draw: st.DrawFn, ends: list[list[str]] = ENDS) -> list[str]:
    """The statuses that a correct carrier reports, in the order in which they happened; it may leave steps out."""
    way = [status for status in UNDER_WAY if draw(st.booleans())] or ["outbound"]
    history = way + draw(st.sampled_from(ends))
    return history if draw(st.booleans()) else [*history[:1], "delayed", *history[1:]]


def last_state(facts: list[str]) -> str:
    state = ParcelState.BOOKED
    for fact in facts:
        state = advance(state, fact)
    return state


@given(histories(), st.data())
def test_any_order_and_repetition_of_a_history_ends_in_the_same_state(history: list[str], data: st.DataObject) -> None:
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=5))
    truth = [status for status in history if status != "delayed"]
    assert last_state(data.draw(st.permutations(repeated))) == truth[-1]


def parcel(number: int, state: str = "booked", units: dict[int, int] | None = None) -> Parcel:
    return Parcel(number, ORDER_ID, "sf", f"T{number}", ParcelState(state), False, units or {number: 1})


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[str]], list[tuple[int, str]]]:
    """The histories of one to four parcels, and all their facts shuffled together with repetitions."""
    reported = [draw(histories()) for _ in range(draw(st.integers(1, 4)))]
    facts = [(number, status) for number, history in enumerate(reported, start=1) for status in history]
    facts += draw(st.lists(st.sampled_from(facts), max_size=6))
    return reported, draw(st.permutations(facts))


def after_all(parcels: dict[int, Parcel], facts: list[tuple[int, str]]) -> tuple[State, list[Trigger]]:
    """The final state of an order that has a unit in each parcel, and the steps to it."""
    current, steps, units = order(State.PAID), [], dict.fromkeys(parcels, 1)
    for number, status in facts:
        parcels[number] = replace(parcels[number], state=advance(parcels[number].state, status))
        while (trigger := next_trigger(current, units, list(parcels.values()))) is not None:
            current = current.become(trigger, NOW)
            steps.append(trigger)
    return current.state, steps


@given(deliveries())
def test_the_end_of_an_order_follows_from_its_parcels_in_any_order_of_facts(
    given_facts: tuple[list[list[str]], list[tuple[int, str]]],
) -> None:
    reported, facts = given_facts
    ends = {last_state(history) for history in reported}
    state, steps = after_all({number: parcel(number) for number in range(1, len(reported) + 1)}, facts)
    failed = {"refused", "undeliverable", "lost", "returning", "returned", "loss_confirmed"}
    if ends <= {"returned", "loss_confirmed"}:
        assert state is State.CANCELLED
    elif ends <= failed:
        assert state is State.DELIVERY_FAILED
    elif ends <= failed | {"delivered"}:
        assert state is State.DELIVERED
    else:
        assert state is State.SHIPPED
    assert steps[0] is Trigger.ALL_SHIPPED
    assert len(set(steps)) == len(steps)


CALLS = [
    ("nothing booked", State.PAID, [], None),
    ("one of two units out", State.PAID, [parcel(1, "outbound")], None),
    ("both booked, one out", State.PAID, [parcel(1, "outbound"), parcel(2)], None),
    ("both out", State.PAID, [parcel(1, "outbound"), parcel(2, "delivered")], Trigger.ALL_SHIPPED),
    ("out in a cancelled parcel", State.PAID, [parcel(1, "outbound"), parcel(2, "cancelled")], None),
    ("both units in one parcel", State.PAID, [parcel(1, "outbound", {1: 1, 2: 1})], Trigger.ALL_SHIPPED),
    ("one still under way", State.SHIPPED, [parcel(1, "delivered"), parcel(2, "in_transit")], None),
    ("both arrived", State.SHIPPED, [parcel(1, "delivered"), parcel(2, "delivered")], Trigger.ALL_DELIVERED),
    ("one arrived, one lost", State.SHIPPED, [parcel(1, "delivered"), parcel(2, "lost")], Trigger.ALL_DELIVERED),
    ("none arrives", State.SHIPPED, [parcel(1, "refused"), parcel(2, "returned")], Trigger.ALL_FAILED),
    ("one refused, one under way", State.SHIPPED, [parcel(1, "refused"), parcel(2, "outbound")], None),
    ("not settled yet", State.DELIVERY_FAILED, [parcel(1, "returning"), parcel(2, "returned")], None),
    ("settled", State.DELIVERY_FAILED, [parcel(1, "loss_confirmed"), parcel(2, "returned")], Trigger.FAILURE_SETTLED),
    ("delivered already", State.DELIVERED, [parcel(1, "delivered"), parcel(2, "delivered")], None),
    ("completed by the buyer", State.COMPLETED, [parcel(1, "refused"), parcel(2, "refused")], None),
    ("cancelled meanwhile", State.CANCELLED, [parcel(1, "outbound"), parcel(2, "outbound")], None),
]


@pytest.mark.parametrize(("state", "parcels", "trigger"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_an_orders_parcels_call_for_its_next_step(state: State, parcels: list[Parcel], trigger: Trigger | None) -> None:
    assert next_trigger(order(state), {1: 1, 2: 1}, parcels) == trigger


def test_units_of_cancelled_parcels_can_be_packed_again() -> None:
    parcels = [parcel(1, "outbound", {1: 2}), parcel(2, "cancelled", {1: 1, 2: 5})]
    assert unpacked({1: 3, 2: 5}, parcels) == {1: 1, 2: 5}
    assert unpacked({1: 2}, parcels) == {}


OUT = {"booked": False, "cancelled": False}
FAILED = {"refused", "undeliverable", "lost", "returning", "returned", "loss_confirmed"}


@pytest.mark.parametrize("state", sorted(RANKS))
def test_a_parcel_is_out_once_it_left_and_failed_when_it_will_not_arrive(state: str) -> None:
    assert parcel(1, state).out is OUT.get(state, True)
    assert parcel(1, state).failed is (state in FAILED)
