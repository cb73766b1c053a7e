"""Answers plan.reorder: whether to order more of a SKU, and how much."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.planning import PlanReorder, ReorderShown
from workers.domain.codes import Code
from workers.domain.planning.decimals import half_up, written
from workers.domain.planning.lots import LotCosts, lot_costs, wrong_costs
from workers.domain.planning.periods import DAYS, YEAR_DAYS, Period, period_of
from workers.domain.planning.reorders import ReorderPoint, reorder_point, suggested, wrong_terms
from workers.domain.planning.smoothing import Smoothing, smooth, wrong_alpha
from workers.domain.refusal import Refusal
from workers.services import sales_histories
from workers.services.answer_parts import money
from workers.services.sales_histories import SalesClock, SalesHistory, fraction, rejected
from workers.store import account_queries

Stock = Mapping[str, Sequence[Any]]
"""SKU -> what each warehouse has of it."""


async def answer_reorders(
    tx: Transaction, items: Sequence[Envelope[PlanReorder]], clock: SalesClock, *, stock_here: bool
) -> list[Reply]:
    """Answer each plan.reorder, in order. All sales are read with one statement, and all stock with another.

    Where stock has a database of its own (`stock_here` is false), a query must say what is available.
    """
    bodies = [item.body for item in items]
    checked = [_checked(body, stock_here=stock_here) for body in bodies]
    wanted = {
        place: (body, body.sku_id, period, "")
        for place, (body, period) in enumerate(zip(bodies, checked, strict=True))
        if isinstance(period, Period)
    }
    histories = await sales_histories.read(tx, wanted, clock)
    skus = [body.sku_id for place, body in enumerate(bodies) if place in wanted and body.available is None]
    stock = await account_queries.stock(tx, skus)
    return [
        rejected(period) if isinstance(period, Refusal) else _answer(body, period, histories[place], stock, clock)
        for place, (body, period) in enumerate(zip(bodies, checked, strict=True))
    ]


def _checked(body: PlanReorder, *, stock_here: bool) -> Period | Refusal:
    """Return the period, or why the query has no answer whatever was sold. No I/O."""
    if body.available is None and not stock_here:
        why = "stock has a database of its own here: say in `available` how much of it can be sold"
        return Refusal(Code.INVENTORY_ELSEWHERE, why, {"field": "available"})
    return (
        wrong_terms(body.lead_time_days, Fraction(body.service_level), body.on_order, body.available)
        or wrong_costs(body.order_cost, body.holding_cost)
        or wrong_alpha(fraction(body.alpha))
        or period_of(body.period, body.periods)
    )


def _answer(
    body: PlanReorder, period: Period, sold: SalesHistory | Refusal, stock: Stock, clock: SalesClock
) -> ReorderShown | QueryRejected:
    """Plan from the sales and the stock. No I/O."""
    if isinstance(sold, Refusal):
        return rejected(sold)
    found = smooth([each.units for _, each in sold.since_first_sale], fraction(body.alpha), None)
    if isinstance(found, Refusal):
        return rejected(found)
    costs = lot_costs(Fraction(found.following * YEAR_DAYS, DAYS[period]), body.order_cost, body.holding_cost)
    if isinstance(costs, Refusal):
        return rejected(costs)
    lead_time = Fraction(body.lead_time_days, DAYS[period])
    point = reorder_point(found.following, found.mean_square_error, lead_time, Fraction(body.service_level))
    return _shown(body, clock, found, costs=costs, point=point, available=_available(body, stock))


def _available(body: PlanReorder, stock: Stock) -> int:
    """Return what of the SKU can be sold in the warehouse of the query, or in all."""
    if body.available is not None:
        return body.available
    rows = [row for row in stock.get(body.sku_id, ()) if body.warehouse in (None, row["warehouse"])]
    return sum(row["on_hand"] - row["locked"] for row in rows)


def _shown(
    body: PlanReorder, clock: SalesClock, found: Smoothing, *, costs: LotCosts, point: ReorderPoint, available: int
) -> ReorderShown:
    lot = costs.lot()
    return ReorderShown(
        sku_id=body.sku_id,
        warehouse=body.warehouse,
        period=body.period,
        time_zone=clock.time_zone,
        alpha=written(found.alpha),
        forecast=written(found.following),
        annual_demand=written(costs.annual_demand),
        lead_time_demand=written(point.lead_time_demand),
        safety_stock=point.safety_stock,
        reorder_point=point.units,
        available=available,
        on_order=body.on_order,
        economic_quantity=costs.quantity,
        lot=lot,
        suggested=suggested(point, available + body.on_order, lot),
        yearly_cost=money(half_up(costs.yearly(lot)), body.currency),
    )
