"""Two attempts of one intent at two providers, a cancellation and a timeout: every world that can come of it.

Whatever is paid, told twice, told never, declined, asked about, closed, cancelled or too late, in whatever order: money
is kept once at most, and with the goods; all other money goes back, once.
"""

from dataclasses import dataclass, field

import pytest

from tests.domain.attempt_model import NAMES, OPEN, PAID, PROVIDERS, World, at_rest, following
from tests.domain.builders import ORDER_ID, order
from tests.domain.order_model import GOODS
from workers.domain.order import State

BEGINNINGS = [
    ("two that fit", "keep_open", "pay", (1000, 1000)),
    ("a decline ends the order", "cancel", "create", (1000, 1000)),
    ("one is charged too little", "keep_open", "create", (1000, 999)),
]


@dataclass
class Atlas:
    """Every world that follows from one, and what led to it."""

    found: dict[World, tuple[World | None, str]] = field(default_factory=dict)

    def explore(self, first: World) -> None:
        self.found[first], new = (None, "the beginning"), [first]
        while new:
            world = new.pop()
            for what, after in following(world):
                if after not in self.found:
                    self.found[after] = world, what
                    new.append(after)

    def way_to(self, world: World) -> list[str]:
        before, what = self.found[world]
        return [*(self.way_to(before) if before else ()), what]


@pytest.fixture(scope="module", params=BEGINNINGS, ids=lambda row: row[0])
def atlas(request: pytest.FixtureRequest) -> Atlas:
    _, on_payment_failure, deduct_on, charged = request.param
    one = order(on_payment_failure=on_payment_failure, deduct_on=deduct_on)
    made = Atlas()
    made.explore(World(one, GOODS[deduct_on][State.AWAITING_PAYMENT], charged).sent("cancel").sent("timeout"))
    return made


def captured(world: World) -> dict[str, int]:
    """Provider and trade number -> amount, of the captures that we know of."""
    amounts = {f"{PROVIDERS[name]}:t{name}": amount for name, amount in zip(NAMES, world.charged, strict=True)}
    return {key: amounts[key] for key in (f"{c}:{t}" for c, t, kind in world.facts if kind == "captured")}


def returned(world: World) -> set[str]:
    """Those of which a refund says that all of it goes back."""
    return {cause.partition(":")[2] for cause in world.refunds if not cause.startswith("cancel:")}


def test_money_is_kept_once_at_most_and_with_the_goods(atlas: Atlas) -> None:
    for world in atlas.found:
        state = world.order.state
        assert state in (State.AWAITING_PAYMENT, State.PAID, State.CANCELLED), atlas.way_to(world)
        assert world.kept == (1000 if state is State.PAID else 0), atlas.way_to(world)
        assert world.goods == GOODS[world.order.deduct_on][state], atlas.way_to(world)


def test_every_capture_is_the_one_that_was_kept_or_goes_back_once_under_its_own_number(atlas: Atlas) -> None:
    for world in atlas.found:
        came, went = captured(world), returned(world)
        stay = set(came) - went
        was_paid = world.order.paid_at is not None
        assert went <= set(came), atlas.way_to(world)
        assert len(stay) == was_paid, atlas.way_to(world)
        assert (f"cancel:{ORDER_ID}" in world.refunds) == (was_paid and world.order.state is State.CANCELLED)
        assert len(world.refunds) == len(went) + (f"cancel:{ORDER_ID}" in world.refunds), atlas.way_to(world)


def test_an_attempt_is_captured_exactly_when_its_capture_is_known(atlas: Atlas) -> None:
    for world in atlas.found:
        known = {name for name in NAMES if (PROVIDERS[name], f"t{name}", "captured") in world.facts}
        assert {name for name in NAMES if world.state(name) == "captured"} == known, atlas.way_to(world)


def test_in_the_end_what_the_banks_took_is_what_is_kept_or_went_back_and_nobody_can_pay_an_order_that_ended(
    atlas: Atlas,
) -> None:
    """When all is told, and whoever does not know has asked. Only where a card was declined may a buyer still try."""
    for world in atlas.found:
        end = at_rest(world)
        took = {name for name in NAMES if end.bank(name) == PAID}
        assert set(captured(end)) == {f"{PROVIDERS[name]}:t{name}" for name in took}, atlas.way_to(world)
        assert len(took) - len(end.refunds) == (end.kept > 0), atlas.way_to(world)
        if end.order.state is not State.AWAITING_PAYMENT:
            open_ = {name for name in NAMES if end.bank(name) == OPEN}
            assert {end.state(name) for name in open_} <= {"failed"}, atlas.way_to(world)


def test_every_end_is_reached(atlas: Atlas) -> None:
    """What never happened would prove nothing."""
    ends = {(world.order.state, tuple(sorted(world.attempts))) for world in atlas.found}
    assert (State.PAID, ("captured", "captured")) in ends
    assert (State.CANCELLED, ("captured", "captured")) in ends
    assert (State.CANCELLED, ("closed", "closed")) in ends
    assert (State.PAID, ("captured", "closed")) in ends
