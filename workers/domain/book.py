"""The orders of one batch while they change.

A handler applies the messages in order of arrival; the book keeps every step that an order takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from workers.domain.order import Effect, Order, State, Trigger
from workers.domain.owed_effects import owed

C = TypeVar("C")
"""The cause of a step, such as a message. The domain passes it on and does not read it."""


@dataclass(frozen=True)
class Who:
    """The user, the operator or the system for which a step is taken."""

    type: Literal["user", "operator", "system"]
    id: str


SYSTEM = Who("system", "oms")


@dataclass
class Step(Generic[C]):
    """One transition: the order after it, the state before it, its cause, and the actor who took it.

    `event` announces the step. The handler that takes the step sets it where the event needs more than the step knows;
    None means the plain event of the order's new state. The domain does not read it.
    """

    order: Order
    previous: State
    trigger: Trigger
    because: C
    who: Who
    effects: tuple[Effect, ...]
    event: object = None


class Book(Generic[C]):
    """The locked orders of a batch, before and after it, and the steps that they take in it."""

    def __init__(self, orders: Mapping[int, Order]) -> None:
        self.before: dict[int, Order] = dict(orders)
        self.after: dict[int, Order] = dict(orders)
        self.steps: list[Step[C]] = []
        self._children: dict[int, list[int]] = {}
        for order in orders.values():
            if order.parent_id is not None:
                self._children.setdefault(order.parent_id, []).append(order.id)

    def __contains__(self, order_id: int) -> bool:
        return order_id in self.after

    def __getitem__(self, order_id: int) -> Order:
        return self.after[order_id]

    def get(self, order_id: int) -> Order | None:
        """The order as it is now, or None if the batch has not locked such an order."""
        return self.after.get(order_id)

    def move(
        self, order_id: int, trigger: Trigger, *, because: C, at: datetime, who: Who = SYSTEM, **changes: Any
    ) -> Step[C]:
        """Take one step with one order. `changes` are further fields that the step sets."""
        before = self.after[order_id]
        after = before.become(trigger, at, **changes)
        step = Step(after, before.state, trigger, because, who, owed(before, trigger))
        self.after[order_id] = after
        self.steps.append(step)
        return step

    def children(self, order_id: int) -> list[Order]:
        """The orders that this one was split into, sorted by id.

        A batch always locks an order with its whole family.
        """
        return [self.after[key] for key in sorted(self._children.get(order_id, ()))]

    def family(self, order_id: int) -> list[Order]:
        """The order, then its children sorted by id."""
        return [self.after[order_id], *self.children(order_id)]

    def move_family(
        self, order_id: int, trigger: Trigger, *, because: C, at: datetime, who: Who = SYSTEM, **changes: Any
    ) -> list[Step[C]]:
        """Take the same step with the order and then with each of its children."""
        return [
            self.move(order.id, trigger, because=because, at=at, who=who, **changes) for order in self.family(order_id)
        ]

    def pay(self, order_id: int, trigger: Trigger, *, because: C, at: datetime, **changes: Any) -> None:
        """Mark the order and its children as paid. From then on the children carry the goods (S3-26, C-31)."""
        steps = self.move_family(order_id, trigger, because=because, at=at, **changes)
        if len(steps) > 1:
            self.move(order_id, Trigger.SPLIT, because=because, at=at)

    def amend(self, order_id: int, **changes: Any) -> None:
        """Change amounts without a step: no event announces it and the version stays."""
        self.after[order_id] = replace(self.after[order_id], **changes)

    @property
    def changed(self) -> list[Order]:
        """The orders that changed and must be written, sorted by id."""
        return [order for key, order in sorted(self.after.items()) if order != self.before[key]]

    def owing(self, effect: Effect) -> list[Step[C]]:
        """The steps that owe this effect."""
        return [step for step in self.steps if effect in step.effects]

    def ids(self, effect: Effect) -> list[int]:
        """The ids of the orders that owe this effect, sorted."""
        return sorted({step.order.id for step in self.owing(effect)})
