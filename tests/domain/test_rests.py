"""The rest of an order: which units have not left, which a command takes, and which parcels lose them."""

from hypothesis import given
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
