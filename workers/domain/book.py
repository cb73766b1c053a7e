"""The orders of one batch as they change: messages are folded in, in order of arrival, and every step is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from workers.domain.order import Effect, Order, State, Trigger

C = TypeVar("C")
"""What caused a step; the domain hands it through unread."""


@dataclass(frozen=True)
class Who:
    """On whose behalf a step was taken: a user, an operator, or the system by itself."""

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
    """Locked orders, the steps they took in this batch, and so their final form."""

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
        """The order as it stands now, or None when there is no such order."""
        return self.after.get(order_id)

    def move(
        self, order_id: int, trigger: Trigger, *, because: C, at: datetime, who: Who = SYSTEM, **changes: Any
    ) -> Step[C]:
        """Take one step; `changes` are further fields that it sets."""
        before = self.after[order_id]
        after = before.become(trigger, at, **changes)
        step = Step(after, before.state, trigger, because, who, before.owes(trigger))
        self.after[order_id] = after
        self.steps.append(step)
        return step

    def children(self, order_id: int) -> list[Order]:
        """The orders that this one was split into, by id; an order's whole family is locked with it."""
        return [self.after[key] for key in sorted(self._children.get(order_id, ()))]

    def family(self, order_id: int) -> list[Order]:
        """The order and its children."""
        return [self.after[order_id], *self.children(order_id)]

    def move_family(
        self, order_id: int, trigger: Trigger, *, because: C, at: datetime, who: Who = SYSTEM, **changes: Any
    ) -> list[Step[C]]:
        """The order and its children take the same step; the order's own comes first."""
        return [
            self.move(order.id, trigger, because=because, at=at, who=who, **changes) for order in self.family(order_id)
        ]

    def pay(self, order_id: int, trigger: Trigger, *, because: C, at: datetime, **changes: Any) -> None:
        """The order is paid, and so is each child: from then on the children carry the goods (S3-26, C-31)."""
        steps = self.move_family(order_id, trigger, because=because, at=at, **changes)
        if len(steps) > 1:
            self.move(order_id, Trigger.SPLIT, because=because, at=at)

    def amend(self, order_id: int, **changes: Any) -> None:
        """Change amounts without a step: nothing is announced and the version stays."""
        self.after[order_id] = replace(self.after[order_id], **changes)

    @property
    def changed(self) -> list[Order]:
        """The orders whose rows must be written, by id."""
        return [order for key, order in sorted(self.after.items()) if order != self.before[key]]

    def owing(self, effect: Effect) -> list[Step[C]]:
        """The steps that owe this effect."""
        return [step for step in self.steps if effect in step.effects]

    def ids(self, effect: Effect) -> list[int]:
        """The ids of the orders that owe this effect, sorted."""
        return sorted({step.order.id for step in self.owing(effect)})
