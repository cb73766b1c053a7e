"""ROUTES lists the route of every queue that workers serve: the table of contents, as data."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import wraps
from typing import ParamSpec, TypeVar

import outbox
from workers.handlers import (
    after_sales,
    buyer_notifications,
    buying_groups,
    carrier_calls,
    carts,
    catalogue,
    contacts,
    dead_letters,
    disputes,
    fulfilments,
    notification_calls,
    order_adjustments,
    order_annotations,
    order_cancellations,
    order_changes,
    order_creation,
    order_drafts,
    order_holds,
    order_imports,
    order_numbers,
    partial_orders,
    payment_authorizations,
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

P = ParamSpec("P")
T = TypeVar("T")

ROUTES = (
    order_creation.ROUTE,
    order_drafts.ROUTE,
    order_imports.ROUTE,
    order_numbers.ROUTE,
    order_holds.ROUTE,
    buying_groups.ROUTE,
    order_adjustments.ROUTE,
    partial_orders.ROUTE,
    carts.ROUTE,
    contacts.ROUTE,
    risk_results.ROUTE,
    stock.ROUTE,
    stock_results.ROUTE,
    payment_requests.ROUTE,
    payment_results.ROUTE,
    payment_authorizations.ROUTE,
    reconciliations.ROUTE,
    disputes.ROUTE,
    order_changes.ROUTE,
    order_cancellations.ROUTE,
    order_annotations.ROUTE,
    fulfilments.ROUTE,
    shipping_updates.ROUTE,
    refunds.ROUTE,
    after_sales.ROUTE,
    timeouts.ROUTE,
    subjects.ROUTE,
    catalogue.ROUTE,
    queries.ROUTE,
    *provider_calls.ROUTES,
    *dead_letters.ROUTES,
)

STOCK_DATABASE = "stock"


def signing(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes with handlers and chores whose alerts name the queue (S3-38)."""
    return tuple(
        replace(
            route,
            handler=_signed(route.queue, route.handler),
            every=tuple(replace(one, chore=_signed(route.queue, one.chore)) for one in route.every),
        )
        for route in routes
    )


def _signed(queue: str, work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    @wraps(work)
    async def signed(*arguments: P.args, **named: P.kwargs) -> T:
        with outbox.announcing_as(queue):
            return await work(*arguments, **named)

    return signed


def with_carriers(routes: Sequence[Route], carriers: Iterable[str], *, calling: bool = True) -> tuple[Route, ...]:
    """Return the routes with those of the carriers' queues of calls, and of their dead letters.

    Without `calling`, other workers make the calls.
    """
    calls = [carrier_calls.route(carrier) for carrier in carriers]
    return (*routes, *(calls if calling else ()), *(dead_letters.route(call.queue) for call in calls))


def with_media(
    routes: Sequence[Route], media: Sequence[str], sending: Iterable[str] | None = None
) -> tuple[Route, ...]:
    """Return the routes with those that notify buyers by these media, and of their dead letters.

    `sending` are the media whose calls this process makes, all of them by default; other workers make the others.
    """
    calls = {medium: notification_calls.route(medium) for medium in media}
    made = calls.keys() if sending is None else set(sending)
    served = [buyer_notifications.ROUTE] if media else []
    dead = [dead_letters.route(one.queue) for one in (*served, *calls.values())]
    return (*routes, *served, *(call for medium, call in calls.items() if medium in made), *dead)


def with_stock_apart(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes with stock on a database of its own, which is purged there."""
    purging = Every(retention.RUN_SECONDS, retention.Purger().__call__)
    apart = replace(stock.ROUTE, database=STOCK_DATABASE, every=(*stock.ROUTE.every, purging))
    changed = {id(stock.ROUTE): apart, id(queries.ROUTE): replace(queries.ROUTE, handler=queries.answer_without_stock)}
    return tuple(changed.get(id(route), route) for route in routes)
