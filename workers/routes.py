"""The table of contents: every queue that is served, as data."""

from workers.handlers import (
    catalogue,
    dead_letters,
    order_changes,
    order_creation,
    payment_results,
    refunds,
    shipping_updates,
    stock,
    stock_results,
    timeouts,
)

ROUTES = (
    order_creation.ROUTE,
    stock.ROUTE,
    stock_results.ROUTE,
    payment_results.ROUTE,
    order_changes.ROUTE,
    shipping_updates.ROUTE,
    refunds.ROUTE,
    timeouts.ROUTE,
    catalogue.ROUTE,
    *dead_letters.ROUTES,
)
