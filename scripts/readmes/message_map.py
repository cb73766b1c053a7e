"""Which queue and which handler takes each message, and who may send it."""

from pathlib import Path

from messages.base import Message, MessageKind
from messages.roles import ANYONE, Role
from messages.topology import (
    BUYER_NOTIFICATIONS,
    TAKEN,
    Names,
    carrier_calls_queue,
    messages_of,
    notification_calls_queue,
)
from scripts.readmes.markdown import table
from workers.routes import ROUTES, with_carriers, with_media
from workers.runtime.route import RawRoute, Route

NAMES = Names()
UP = "../"
"""From the folder of the README that shows the map to the root."""
ANY_CARRIER = "<carrier>"
ANY_MEDIUM = "<medium>"


def message_map() -> str:
    """One row per message that a queue takes, then the queues for messages that could not be handled."""
    routes = {route.queue: route for route in with_media(with_carriers(ROUTES, [ANY_CARRIER]), [ANY_MEDIUM])}
    some = (carrier_calls_queue(ANY_CARRIER), BUYER_NOTIFICATIONS, notification_calls_queue(ANY_MEDIUM))
    rows = [
        (f"`{model.TYPE}`", came_from(model, queue), f"`{NAMES.queue(shown(queue))}`", link(routes[queue]), who(model))
        for queue in (*TAKEN, *some)
        for model in messages_of(queue)
    ]
    rows = list(dict.fromkeys(rows))
    return table(("message", "from", "queue", "handled in", "who may send it"), [*rows, *leftovers()])


def shown(queue: str) -> str:
    """One name for the queues of a kind: `provider-calls.alipay` and its like."""
    kind, dot, name = queue.partition(".")
    return f"{kind}.{name if name in (ANY_CARRIER, ANY_MEDIUM) else '<provider>'}" if dot else kind


def came_from(model: type[Message], queue: str) -> str:
    """The exchange. Queues of a kind are addressed one by one, without one."""
    return "directly" if "." in queue else f"`{NAMES.exchange_of(model.KIND)}`"


def leftovers() -> list[tuple[str, ...]]:
    """The queues of messages that could not be read, handled or routed."""
    dead = next(route for route in ROUTES if isinstance(route, RawRoute))
    return [
        ("what failed", f"`{NAMES.dlx}`", f"`{NAMES.dlq('<queue>')}`", link(dead), "our own users, the broker"),
        ("what no queue takes", f"`{NAMES.unrouted}`", f"`{NAMES.unrouted}`", link(dead), "the broker"),
    ]


def link(route: Route) -> str:
    """A link to the handler's file."""
    path = route.handler.__module__.replace(".", "/") + ".py"
    return f"[{Path(path).name}]({UP}{path})"


def who(model: type[Message]) -> str:
    """The roles whose users may send this message, in the order in which messages/roles.py has them."""
    if model.KIND in (MessageKind.INTERNAL, MessageKind.EVENT):
        return "our own users"
    return "anyone" if model.SENDERS == ANYONE else ", ".join(f"`{role}`" for role in Role if role in model.SENDERS)
