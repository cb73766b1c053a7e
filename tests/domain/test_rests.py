"""The rest of an order: which units have not left, which a command takes, and which parcels lose them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import example, given
from hypothesis import strategies as st

from tests.domain.builders import ORDER_ID
from workers.domain.refund_amounts import BoughtLine, give_back, refund_units, remaining_units
from workers.domain.rests import drop, not_left, pick, take_out, to_ship
from workers.domain.shipping import Parcel, ParcelState, all_out, unpacked


def line(line_no: int, qty: int, dropped: int = 0, sku: str = "") -> BoughtLine:
    return BoughtLine(line_no, sku or f"s{line_no}", "main", qty, qty * 100, 0, dropped, dropped * 100, dropped)


def parcel(number: int, state: str, **units: int) -> Parcel:
    """A parcel; `l1=2` are two units of line 1."""
    return Parcel(
        number, ORDER_ID, "sf", f"T{number}", ParcelState(state), False, {int(k[1:]): q for k, q in units.items()}
    )


LINES = [line(1, 10), line(2, 3)]


def test_what_has_not_left_is_what_no_parcel_took_out_of_the_warehouse() -> None:
    parcels = [parcel(1, "delivered", l1=4), parcel(2, "booked", l1=5, l2=3), parcel(3, "lost", l1=1)]
    assert not_left(LINES, parcels) == {1: 5, 2: 3}
    assert not_left([line(1, 10, dropped=5), line(2, 3)], parcels) == {2: 3}


def test_units_are_picked_by_sku_from_the_first_lines_that_have_them_and_all_or_none() -> None:
    lines = [line(1, 2, sku="a"), line(2, 3, sku="a"), line(3, 1, sku="b")]
    left = {1: 1, 2: 3, 3: 1}
    assert pick(lines, left, [("a", 2), ("b", 1)]) == {1: 1, 2: 1, 3: 1}
    assert pick(lines, left, [("a", 2), ("a", 2)]) == {1: 1, 2: 3}
    assert pick(lines, left, [("a", 5)]) == pick(lines, left, [("c", 1)]) == {}
    assert pick(lines, left, []) == left


def test_waiting_parcels_lose_only_what_no_unpacked_unit_covers_and_the_last_one_first() -> None:
    parcels = [parcel(1, "booked", l1=4), parcel(2, "booked", l1=4, l2=3), parcel(3, "in_transit", l1=1)]
    assert take_out(drop(LINES, {1: 1}), parcels) == []
    assert take_out(drop(LINES, {1: 3}), parcels) == [parcel(2, "booked", l1=2, l2=3)]
    assert take_out(drop(LINES, {1: 6, 2: 3}), parcels) == [
        parcel(2, "cancelled", l1=0, l2=0),
        parcel(1, "booked", l1=3),
    ]


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[BoughtLine], list[Parcel]]:
    """An order of one to three lines, and parcels of it in any state."""
    lines = [line(number, draw(st.integers(1, 9))) for number in range(1, draw(st.integers(1, 3)) + 1)]
    left, parcels = to_ship(lines), []
    for number in range(draw(st.integers(0, 4))):
        units = {line_no: draw(st.integers(0, qty)) for line_no, qty in left.items()}
        units = {line_no: qty for line_no, qty in units.items() if qty}
        if units:
            state = ParcelState(draw(st.sampled_from(["booked", "outbound", "delivered", "cancelled"])))
            parcels.append(Parcel(number, ORDER_ID, "sf", f"T{number}", state, False, units))
            left = unpacked(to_ship(lines), parcels)
    return lines, parcels


@dataclass
class PartialOrder:
    """An order whose units leave, are lost, are short or are cancelled, one event after another."""

    lines: list[BoughtLine]
    parcels: dict[int, Parcel] = field(default_factory=dict)
    back: Counter[int] = field(default_factory=Counter)
    gone: Counter[int] = field(default_factory=Counter)

    def those(self, state: ParcelState) -> list[Parcel]:
        return [one for one in self.parcels.values() if one.state is state]

    def give(self, units: Mapping[int, int]) -> None:
        parts = refund_units(self.lines, units)
        self.back.update({part.line_no: part.amount for part in parts})
        self.gone.update(units)
        self.lines = give_back(self.lines, parts)

    def book(self, line_no: int, qty: int) -> None:
        left = unpacked(to_ship(self.lines), self.parcels.values()).get(line_no, 0)
        if left:
            self.parcels[len(self.parcels)] = parcel(len(self.parcels), "booked", **{f"l{line_no}": min(qty, left)})

    def leave(self, line_no: int, qty: int) -> None:
        for one in self.those(ParcelState.BOOKED)[:1]:
            self.parcels[one.id] = replace(one, state=ParcelState.OUTBOUND)

    def lose(self, line_no: int, qty: int) -> None:
        out = self.those(ParcelState.OUTBOUND)
        for one in out[qty % len(out) :][:1] if out else ():
            self.parcels[one.id] = replace(one, state=ParcelState.LOST, given_up=True)
            self.give(one.units)

    def drop(self, line_no: int, qty: int) -> None:
        """The warehouse reports units short, or the buyer cancels them."""
        here = not_left(self.lines, list(self.parcels.values())).get(line_no, 0)
        units = {line_no: min(qty, here)}
        self.give(units)
        self.lines = drop(self.lines, units)
        self.parcels |= {one.id: one for one in take_out(self.lines, list(self.parcels.values()))}


EVENTS = st.tuples(st.sampled_from(["book", "leave", "lose", "drop"]), st.integers(1, 2), st.integers(1, 9))
BOUGHT = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 10_007)), min_size=2, max_size=2)


@example([(2, 100), (1, 7)], [("book", 1, 2), ("drop", 1, 1), ("leave", 1, 1), ("lose", 1, 1)])
@example([(3, 100), (1, 7)], [("book", 1, 3), ("drop", 1, 1), ("leave", 1, 1)])
@given(BOUGHT, st.lists(EVENTS, max_size=25))
def test_every_history_ends_with_each_unit_in_one_place_and_the_exact_money_back(
    bought: list[tuple[int, int]], history: list[tuple[str, int, int]]
) -> None:
    """Shipped, short, lost and cancelled units add up to what was bought; money goes back for the last three."""
    order = PartialOrder([BoughtLine(n, f"s{n}", "main", *one, 0, 0, 0, 0) for n, one in enumerate(bought, 1)])
    for event, line_no, qty in [*history, ("drop", 1, 9), ("drop", 2, 9)]:
        getattr(order, event)(line_no, qty)
    assert all_out(to_ship(order.lines), list(order.parcels.values()))
    shipped: Counter[int] = Counter()
    for one in order.those(ParcelState.OUTBOUND):
        shipped.update(one.units)
    for line_no, (qty, payable) in enumerate(bought, 1):
        assert shipped[line_no] + order.gone[line_no] == qty
        assert order.back[line_no] == payable * order.gone[line_no] // qty


@given(orders(), st.data())
def test_no_unit_is_shipped_and_given_back_whatever_is_dropped_in_whatever_steps(
    order: tuple[list[BoughtLine], list[Parcel]], data: st.DataObject
) -> None:
    lines, parcels = order
    for _ in range(data.draw(st.integers(1, 4))):
        left = not_left(lines, parcels)
        units = {line_no: data.draw(st.integers(0, qty)) for line_no, qty in left.items()}
        lines = drop(give_back(lines, refund_units(lines, units)), units)
        lost = {one.id: one for one in take_out(lines, parcels)}
        parcels = [lost.get(one.id, one) for one in parcels]
        live = [one for one in parcels if one.state is not ParcelState.CANCELLED]
        for each in lines:
            packed = sum(one.units.get(each.line_no, 0) for one in live)
            assert packed + each.dropped_qty <= each.qty
            assert each.refunded_qty == each.dropped_qty
            assert each.refunded_amount == each.dropped_qty * 100
    lines = drop(lines, not_left(lines, parcels))
    assert all_out(to_ship(lines), parcels)
    shipped = to_ship(lines)
    assert all(remaining_units(lines)[line_no] >= qty for line_no, qty in shipped.items())
