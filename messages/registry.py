"""Type -> model, built from the modules of the wire. A type that two models claim, or nobody may send, is refused."""

from collections.abc import Iterator

from messages import (  # noqa: F401 (importing a topic's module defines its models)
    account_queries,
    base,
    benefits,
    carriers,
    carts,
    catalogue,
    explanations,
    fulfilments,
    holds,
    order_queries,
    orders,
    payments,
    promotions,
    providers,
    queries,
    refunds,
    rests,
    risk,
    shipments,
    stock,
    subjects,
    timers,
)
from messages.base import Message, MessageKind

FROM_OUTSIDE = (MessageKind.COMMAND, MessageKind.FACT, MessageKind.QUERY)
"""The kinds of messages that others send to us. Each names its senders."""


def _concrete(cls: type[Message]) -> Iterator[type[Message]]:
    if "TYPE" in cls.__dict__:
        yield cls
    for child in cls.__subclasses__():
        yield from _concrete(child)


def _registry() -> dict[str, type[Message]]:
    models: dict[str, type[Message]] = {}
    for model in _concrete(Message):
        if model.TYPE in models:
            raise TypeError(f"{model.TYPE} is claimed by both {models[model.TYPE].__name__} and {model.__name__}")
        if model.KIND in FROM_OUTSIDE and not getattr(model, "SENDERS", None):
            raise TypeError(f"{model.TYPE} names no SENDERS: say which roles of messages/roles.py may send it")
        models[model.TYPE] = model
    return models


MODELS: dict[str, type[Message]] = _registry()
