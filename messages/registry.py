"""Type -> model, built from the modules of the wire. A type that two models claim is refused at import."""

from collections.abc import Iterator

from messages import (  # noqa: F401 (importing a topic's module defines its models)
    base,
    benefits,
    carts,
    catalogue,
    orders,
    payments,
    promotions,
    providers,
    queries,
    refunds,
    risk,
    shipments,
    stock,
    timers,
)
from messages.base import Message


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
        models[model.TYPE] = model
    return models


MODELS: dict[str, type[Message]] = _registry()
