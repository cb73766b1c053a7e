"""Parcels: facts come late, twice and out of order, and the end is the same (R-15)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.shipments import Status
from tests.domain.builders import NOW, ORDER_ID, order
from workers.domain.order import State, Trigger
from workers.domain.shipping import (
    NOT_WITH_BUYER,
    CarrierFact,
    Parcel,
    ParcelState,
    advance,
    after_facts,
    came_back,
    next_trigger,
    unpacked,
)

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
delivered           .   .   .   .   .   .   rf  ud  ls  rg  rt  lc
refused             .   .   .   .   dv  .   .   .   .   rg  rt  lc
undeliverable       .   .   .   .   dv  .   .   .   .   rg  rt  lc
lost                .   .   .   .   dv  .   .   .   .   rg  rt  lc
returning           .   .   .   .   dv  .   .   .   .   .   rt  lc
returned            .   .   .   .   dv  .   .   .   .   .   .   .
loss_confirmed      .   .   .   .   dv  .   .   .   .   .   rt  .
cancelled           .   .   .   .   .   .   .   .   .   .   .   .
"""
"""Row: the parcel's state. Column: what happened next to the parcel. A dot: it does not move the parcel."""

STATUSES = sorted(get_args(Status))


def cells() -> list[tuple[str, str, str]]:
    """(state, status, state after it) for every cell."""
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [
        (state, COLUMNS[column], state if cell == "." else COLUMNS[cell])
        for state, *row in rows
        for column, cell in zip(header, row, strict=True)
    ]


def test_the_table_has_a_cell_for_every_state_and_every_status_of_the_wire() -> None:
    assert {(state, status) for state, status, _ in cells()} == {(s, t) for s in ParcelState for t in STATUSES}


@pytest.mark.parametrize(("state", "status", "after"), cells())
def test_a_fact_moves_a_parcel_where_the_table_says(state: str, status: str, after: str) -> None:
    assert advance(ParcelState(state), status) == after


UNDER_WAY = ["outbound", "picked_up", "in_transit", "out_for_delivery"]
ENDS = [
    [], ["delivered"], ["refused"], ["refused", "returning"], ["refused", "returning", "returned"],
    ["undeliverable", "returning", "returned"], ["undeliverable", "returned"], ["lost"], ["lost", "loss_confirmed"],
    ["undeliverable", "delivered"], ["lost", "delivered"],
]  # fmt: skip
AFTER_DELIVERY = [
    ["delivered", "refused", "returning", "returned"], ["delivered", "lost"], ["delivered", "returning"],
    ["delivered", "returned"], ["lost", "loss_confirmed", "returned"], ["lost", "delivered", "returned"],
]  # fmt: skip


def facts_of(history: list[str]) -> list[CarrierFact]:
    """What a carrier reports that does not err: the statuses happened one after the other."""
    return [CarrierFact(f"e{n}", status, NOW + timedelta(hours=n)) for n, status in enumerate(history)]


@st.composite
def histories(draw: st.DrawFn, ends: list[list[str]] = ENDS) -> list[str]:
    """The statuses that a correct carrier reports, in the order in which they happened; it may leave steps out."""
    way = [status for status in UNDER_WAY if draw(st.booleans())] or ["outbound"]
    history = way + draw(st.sampled_from(ends))
    return history if draw(st.booleans()) else [*history[:1], "delayed", *history[1:]]


def last_state(facts: Sequence[CarrierFact]) -> str:
    return after_facts(parcel(1), facts).state


@given(histories(ENDS + AFTER_DELIVERY), st.data())
def test_any_order_and_repetition_of_a_history_ends_in_the_same_state(history: list[str], data: st.DataObject) -> None:
    facts = facts_of(history)
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=5))
    truth = [status for status in history if status != "delayed"]
    assert last_state(data.draw(st.permutations(repeated))) == truth[-1]


CARRIER_FACTS = st.builds(
    CarrierFact,
    st.uuids().map(str),
    st.sampled_from(STATUSES),
    st.integers(0, 6).map(lambda n: NOW + timedelta(minutes=n)),
)
"""Facts of a carrier that errs: any status at any time, also several for one minute."""


@given(st.lists(CARRIER_FACTS, max_size=12), st.data())
def test_any_facts_in_any_order_of_arrival_end_in_the_same_parcel(
    facts: list[CarrierFact], data: st.DataObject
) -> None:
    arrived = parcel(1)
    shuffled = data.draw(st.permutations(facts))
    for count in range(1, len(shuffled) + 1):
        arrived = after_facts(arrived, shuffled[:count])
    assert arrived == after_facts(parcel(1), facts)
    assert came_back(shuffled) is came_back(facts)


@pytest.mark.parametrize("status", ["refused", "undeliverable", "lost", "returning", "returned", "loss_confirmed"])
def test_a_parcel_leaves_its_buyer_after_the_delivery_and_not_before_it(status: str) -> None:
    delivered = CarrierFact("d", "delivered", NOW)
    later, earlier = (
        CarrierFact("x", status, NOW + timedelta(days=9)),
        CarrierFact("x", status, NOW - timedelta(days=1)),
    )
    assert (last_state([delivered, later]), came_back([delivered, later])) == (status, True)
    assert (last_state([delivered, earlier]), came_back([delivered, earlier])) == ("delivered", False)


def parcel(number: int, state: str = "booked", units: dict[int, int] | None = None) -> Parcel:
    """A parcel of the order; if it failed, its lines were given back."""
    given_up = ParcelState(state) in NOT_WITH_BUYER
    return Parcel(
        number, ORDER_ID, "sf", f"T{number}", ParcelState(state), False, units or {number: 1}, None, None, given_up
    )


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[str]], list[tuple[int, CarrierFact]]]:
    """The histories of one to four parcels, and all their facts shuffled together with repetitions."""
    reported = [draw(histories()) for _ in range(draw(st.integers(1, 4)))]
    facts = [(number, fact) for number, history in enumerate(reported, start=1) for fact in facts_of(history)]
    facts += draw(st.lists(st.sampled_from(facts), max_size=6))
    return reported, draw(st.permutations(facts))


def after_all(parcels: dict[int, Parcel], facts: list[tuple[int, CarrierFact]]) -> tuple[State, list[Trigger]]:
    """The final state of an order that has a unit in each parcel, and the steps to it."""
    current, steps, units = order(State.PAID), [], dict.fromkeys(parcels, 1)
    known: dict[int, list[CarrierFact]] = {number: [] for number in parcels}
    for number, fact in facts:
        known[number].append(fact)
        after = after_facts(parcels[number], known[number])
        lost = after.state in NOT_WITH_BUYER and not came_back(known[number])
        parcels[number] = replace(after, given_up=after.given_up or lost)
        while (trigger := next_trigger(current, units, list(parcels.values()))) is not None:
            current = current.become(trigger, NOW)
            steps.append(trigger)
    return current.state, steps


@given(deliveries())
def test_the_end_of_an_order_follows_from_its_parcels_in_any_order_of_facts(
    given_facts: tuple[list[list[str]], list[tuple[int, CarrierFact]]],
) -> None:
    reported, facts = given_facts
    ends = {last_state(facts_of(history)) for history in reported}
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


def test_what_comes_back_after_it_arrived_leaves_its_order_delivered() -> None:
    kept = replace(parcel(1, "lost"), given_up=False)
    assert next_trigger(order(State.SHIPPED), {1: 1, 2: 1}, [kept, parcel(2, "lost")]) is Trigger.ALL_DELIVERED
    assert next_trigger(order(State.SHIPPED), {1: 1, 2: 1}, [kept, parcel(2, "in_transit")]) is None


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
    (
        "one arrives after all",
        State.DELIVERY_FAILED,
        [parcel(1, "delivered"), parcel(2, "lost")],
        Trigger.ALL_DELIVERED,
    ),
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


@pytest.mark.parametrize("state", ParcelState)
def test_a_parcel_is_out_once_it_left_and_failed_when_it_will_not_arrive(state: str) -> None:
    assert parcel(1, state).out is OUT.get(state, True)
    assert parcel(1, state).failed is (state in FAILED)
    assert parcel(1, state).arrived is (state == "delivered")
    assert replace(parcel(1, state), given_up=False).arrived is (state == "delivered" or state in FAILED)
