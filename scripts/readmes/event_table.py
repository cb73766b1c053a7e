"""Everything that the system announces: events and replies, with their fields and what they mean."""

from collections.abc import Iterable
from textwrap import fill

from messages.base import Message, MessageKind
from messages.orders import OrderEvent
from messages.registry import MODELS
from scripts.readmes.markdown import summary, table


def event_table() -> str:
    """One row per event, by topic. Fields that every order event has are named once, below the table."""
    events = sorted((model for model in MODELS.values() if model.KIND is MessageKind.EVENT), key=topic)
    common = f"Every event with *order fields* also has {named(OrderEvent.model_fields)}."
    return f"{table(HEAD, map(row, events))}\n\n{fill(common, LINE_CHARS_MAX)}"


def reply_table() -> str:
    """One row per reply to a query."""
    return table(HEAD, [row(model) for model in MODELS.values() if model.KIND is MessageKind.REPLY])


def instruction_table() -> str:
    """One row per message to a warehouse."""
    return table(HEAD, [row(model) for model in MODELS.values() if model.KIND is MessageKind.INSTRUCTION])


LINE_CHARS_MAX = 120
HEAD = ("type", "it means", "fields")


def row(model: type[Message]) -> tuple[str, str, str]:
    """The type, the first sentences of its docstring, and its fields."""
    inherited = OrderEvent.model_fields if issubclass(model, OrderEvent) else {}
    own = [name for name in model.model_fields if name not in inherited]
    parts = (["*order fields*"] if inherited else []) + ([named(own)] if own else [])
    return f"`{model.TYPE}`", summary(model.__doc__), ", ".join(parts)


def topic(model: type[Message]) -> str:
    """The first word of the type."""
    return model.TYPE.partition(".")[0]


def named(fields: Iterable[str]) -> str:
    """The names of fields."""
    return ", ".join(f"`{name}`" for name in fields)
