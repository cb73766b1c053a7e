"""ROUTES lists the route of every queue that workers serve: the table of contents, as data."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from workers.handlers import (
    carrier_calls,
    carts,
    catalogue,
    dead_letters,
    disputes,
    fulfilments,
    order_changes,
    order_creation,
    order_holds,
    order_numbers,
    partial_orders,
    payment_requests,
    payment_results,
    provider_calls,
    queries,
    reconciliations,
    refunds,
    risk_results,
    shipping_updates,
    stock,
    stock_results,
    subjects,
    timeouts,
)
from workers.runtime.route import Every, Route
from workers.services import retention

ROUTES = (
    order_creation.ROUTE,
    order_numbers.ROUTE,
    order_holds.ROUTE,
    partial_orders.ROUTE,
    carts.ROUTE,
    risk_results.ROUTE,
    stock.ROUTE,
    stock_results.ROUTE,
    payment_requests.ROUTE,
    payment_results.ROUTE,
    reconciliations.ROUTE,
    disputes.ROUTE,
    order_changes.ROUTE,
    fulfilments.ROUTE,
    shipping_updates.ROUTE,
    refunds.ROUTE,
    timeouts.ROUTE,
    subjects.ROUTE,
    catalogue.ROUTE,
    queries.ROUTE,
    *provider_calls.ROUTES,
    *dead_letters.ROUTES,
)

STOCK_DATABASE = "stock"


def with_carriers(routes: Sequence[Route], carriers: Iterable[str], *, calling: bool = True) -> tuple[Route, ...]:
    """Return the routes with those of the carriers' queues of calls, and of their dead letters.

    Without `calling`, other workers make the calls.
    """
    calls = [carrier_calls.route(carrier) for carrier in carriers]
    return (*routes, *(calls if calling else ()), *(dead_letters.route(call.queue) for call in calls))


def with_stock_apart(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes with stock on a database of its own, which is purged there."""
    purging = Every(retention.RUN_SECONDS, retention.Purger().__call__)
    apart = replace(stock.ROUTE, database=STOCK_DATABASE, every=(*stock.ROUTE.every, purging))
    changed = {id(stock.ROUTE): apart, id(queries.ROUTE): replace(queries.ROUTE, handler=queries.answer_without_stock)}
    return tuple(changed.get(id(route), route) for route in routes)
