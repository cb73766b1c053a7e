"""The economic order quantity, and when to order (S2-14)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.planning.golden import FACTORS, LOTS
from workers.domain.codes import Code
from workers.domain.planning.lots import COST_MAX, LotCosts, lot_costs, wrong_costs
from workers.domain.planning.reorders import SERVICE_FACTORS, ReorderPoint, reorder_point, suggested, wrong_terms
from workers.domain.refusal import Refusal

DEMANDS = st.fractions(Fraction(1, 1000), 10**9, max_denominator=1000)
COSTS = st.integers(1, 10**9)


def costs(demand: Fraction, order_cost: int, holding_cost: int) -> LotCosts:
    found = lot_costs(demand, order_cost, holding_cost)
    assert isinstance(found, LotCosts), found
    return found


@pytest.mark.parametrize(("demand", "order_cost", "holding_cost", "quantity"), LOTS)
def test_the_quantity_is_that_of_the_oracle(demand: int, order_cost: int, holding_cost: int, quantity: str) -> None:
    assert costs(Fraction(demand), order_cost, holding_cost).quantity == quantity


@given(DEMANDS, COSTS, COSTS, st.integers(1, 10**6))
def test_no_other_lot_costs_less(demand: Fraction, order_cost: int, holding_cost: int, other: int) -> None:
    found = costs(demand, order_cost, holding_cost)
    lot = found.lot()
    near = [near for near in range(lot - 3, lot + 4) if near >= 1]
    assert found.yearly(lot) == min(found.yearly(size) for size in [*near, other, lot])
    assert found.yearly(lot) ** 2 >= 2 * demand * order_cost * holding_cost  # the cost at the quantity itself


@pytest.mark.parametrize(
    ("demand", "order_cost", "holding_cost", "code", "field"),
    [
        ("0", 50, 4, Code.PLAN_DEMAND_INVALID, "annual_demand"),
        ("-1", 50, 4, Code.PLAN_DEMAND_INVALID, "annual_demand"),
        ("1000", 0, 4, Code.PLAN_COST_INVALID, "order_cost"),
        ("1000", 50, 0, Code.PLAN_COST_INVALID, "holding_cost"),
        ("1000", 50, -4, Code.PLAN_COST_INVALID, "holding_cost"),
        ("1000", COST_MAX + 1, 4, Code.PLAN_COST_INVALID, "order_cost"),
    ],
    ids=str,
)
def test_without_demand_or_cost_there_is_no_quantity(
    demand: str, order_cost: int, holding_cost: int, code: Code, field: str
) -> None:
    found = lot_costs(Fraction(demand), order_cost, holding_cost)
    assert isinstance(found, Refusal)
    assert (found.code, found.details["field"]) == (code, field)
    assert wrong_costs(1, COST_MAX) is None


def test_the_factors_are_quantiles_of_the_normal_distribution() -> None:
    assert {Fraction(level): Fraction(factor) for level, factor in FACTORS.items()} == SERVICE_FACTORS


def test_the_reorder_point_covers_the_demand_until_an_order_arrives_and_what_forecasts_miss() -> None:
    point = reorder_point(Fraction("10.5"), Fraction(9), Fraction(4), Fraction("0.95"))
    assert point == ReorderPoint(Fraction(42), 10, 52)  # 1.6449 x 3 x 2 = 9.8694
    exact = reorder_point(Fraction("10.5"), Fraction(0), Fraction(4), Fraction("0.999"))
    assert (exact.safety_stock, exact.units) == (0, 42)


@pytest.mark.parametrize(
    ("position", "lot", "wanted"), [(53, 20, 0), (52, 20, 20), (33, 20, 20), (32, 20, 40), (0, 20, 60), (0, 1, 53)]
)
def test_so_many_lots_are_ordered_that_the_position_is_above_the_point(position: int, lot: int, wanted: int) -> None:
    point = ReorderPoint(Fraction(42), 10, 52)
    assert suggested(point, position, lot) == wanted


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**4))
def test_a_lot_less_would_not_be_enough(units: int, position: int, lot: int) -> None:
    wanted = suggested(ReorderPoint(Fraction(units), 0, units), position, lot)
    assert position + wanted > units
    assert wanted % lot == 0
    assert wanted == 0 or position + wanted - lot <= units


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        ((0, "0.95", 0, None), Code.PLAN_LEAD_TIME_INVALID, "lead_time_days"),
        ((731, "0.95", 0, None), Code.PLAN_LEAD_TIME_INVALID, "lead_time_days"),
        ((1, "0.96", 0, None), Code.PLAN_SERVICE_LEVEL_INVALID, "service_level"),
        ((1, "0.95", -1, None), Code.PLAN_STOCK_INVALID, "on_order"),
        ((1, "0.95", 0, -1), Code.PLAN_STOCK_INVALID, "available"),
    ],
    ids=str,
)
def test_wrong_terms_are_refused_each_with_its_code(
    terms: tuple[int, str, int, int | None], code: Code, field: str
) -> None:
    days, level, on_order, available = terms
    found = wrong_terms(days, Fraction(level), on_order, available)
    assert found is not None
    assert (found.code, found.details["field"]) == (code, field)
