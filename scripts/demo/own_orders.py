"""Orders of a person at the terminal, among those of the crowd, which neither pays, ships, reads nor changes them."""

from collections.abc import Callable

from scripts.amqp_client import ReceivedMessage

CROWD = "household-"
"""The user ids of all buyers of the crowd begin with this."""


class OwnOrders:
    """Knows the orders of the crowd. Every other one is a person's own, whoever placed it and when."""

    def __init__(self) -> None:
        self._crowd: set[str] = set()
        self._waiting: dict[str, list[Callable[[], None]]] = {}

    def has(self, received: ReceivedMessage) -> bool:
        """Tell whether an event is about such an order. Its first event names the user, others need not."""
        user, order_id = received.body.get("user_id"), received.body.get("order_id")
        if user is None:
            return order_id is not None and order_id not in self._crowd
        if not user.startswith(CROWD):
            return True
        if order_id is not None and order_id not in self._crowd:
            self._crowd.add(order_id)
            for act in self._waiting.pop(order_id, ()):
                act()
        return False

    def once_known(self, received: ReceivedMessage, act: Callable[[], None]) -> None:
        """Act on a message about an order of the crowd, as soon as an event has named its user; else never.

        It may come before that event, which takes another queue.
        """
        order_id = received.body["order_id"]
        if order_id in self._crowd:
            act()
        else:
            self._waiting.setdefault(order_id, []).append(act)
