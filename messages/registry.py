"""Type -> model, built from the modules of the wire. A type that two models claim, or nobody may send, is refused."""

import sys
from collections.abc import Iterator

from messages import (  # noqa: F401 (importing a topic's module defines its models)
    account_queries,
    adjustments,
    after_sale_queries,
    after_sales,
    annotations,
    archived_orders,
    authorizations,
    base,
    benefits,
    buyer_notifications,
    buying_groups,
    cancellations,
    captchas,
    carriers,
    carts,
    catalogue,
    contacts,
    dashboards,
    dead_letters,
    dispute_queries,
    disputes,
    explanations,
    fulfilments,
    group_queries,
    holds,
    order_drafts,
    order_history,
    order_imports,
    order_queries,
    orders,
    payments,
    planning,
    promotions,
    providers,
    queries,
    refunds,
    reinstatements,
    replacements,
    rests,
    risk,
    send_backs,
    shipments,
    stock,
    stuck_waits,
    subjects,
    timers,
    warehouse_hours,
)
from messages.base import Message, MessageKind
from messages.topology import Names

FROM_OUTSIDE = (MessageKind.COMMAND, MessageKind.FACT, MessageKind.QUERY)
"""The kinds of messages that others send to us. Each names its senders."""


def _concrete(cls: type[Message]) -> Iterator[type[Message]]:
    if "TYPE" in cls.__dict__:
        yield cls
    for child in cls.__subclasses__():
        yield from _concrete(child)


def _place(model: type[Message]) -> tuple[str, int]:
    """Return where the model is defined, so that the registry's order does not depend on what was imported first."""
    names = list(vars(sys.modules[model.__module__]))
    return model.__module__, names.index(model.__name__) if model.__name__ in names else len(names)


def _registry() -> dict[str, type[Message]]:
    models: dict[str, type[Message]] = {}
    for model in sorted(_concrete(Message), key=_place):
        if model.TYPE in models:
            raise TypeError(f"{model.TYPE} is claimed by both {models[model.TYPE].__name__} and {model.__name__}")
        if model.KIND in FROM_OUTSIDE and not getattr(model, "SENDERS", None):
            raise TypeError(f"{model.TYPE} names no SENDERS: say which roles of messages/roles.py may send it")
        models[model.TYPE] = model
    return models


MODELS: dict[str, type[Message]] = _registry()


def goes_to(type_: str, names: Names) -> str:
    """Return where a client publishes a type, as the end of a sentence; nothing if no client sends it."""
    model = MODELS.get(type_)
    if model is None or model.KIND not in FROM_OUTSIDE:
        return ""
    return f": publish it to {names.exchange_of(model.KIND)}, with the routing key {model.routing_key()}"
