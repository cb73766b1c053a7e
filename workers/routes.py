"""The table of contents: every queue that is served, as data."""

from workers.handlers import (
    carts,
    catalogue,
    dead_letters,
    gateway_calls,
    order_changes,
    order_creation,
    order_numbers,
    payment_requests,
    payment_results,
    queries,
    refunds,
    risk_results,
    shipping_updates,
    stock,
    stock_results,
    timeouts,
)

ROUTES = (
    order_creation.ROUTE,
    order_numbers.ROUTE,
    carts.ROUTE,
    risk_results.ROUTE,
    stock.ROUTE,
    stock_results.ROUTE,
    payment_requests.ROUTE,
    payment_results.ROUTE,
    order_changes.ROUTE,
    shipping_updates.ROUTE,
    refunds.ROUTE,
    timeouts.ROUTE,
    catalogue.ROUTE,
    queries.ROUTE,
    *gateway_calls.ROUTES,
    *dead_letters.ROUTES,
)
