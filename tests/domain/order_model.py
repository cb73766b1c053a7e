"""One order in memory: payments, cancellations and timeouts are applied by the handlers' own pure functions.

OrderModel.goods is where the goods are: locked, deducted or free. OrderModel.kept is the money that the order keeps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from messages.orders import OrderCancel
from messages.payments import PaymentResult
from tests.domain.builders import NOW, ORDER_ID, cancellation, capture, envelope
from workers.domain.book import Book
from workers.domain.order import Effect, State, Trigger
from workers.handlers import order_changes, payment_results, timeouts
from workers.services.payment_context import PaymentContext
from workers.services.refunds import STRAY_CAUSES, due_for_stray
from workers.store.ids import NewIds
from workers.store.payments import PaymentFact
from workers.store.timers import Timer, TimerKind

STOCK = {
    Effect.STOCK_COMMIT: ("locked", "deducted"),
    Effect.STOCK_RELEASE: ("locked", "free"),
    Effect.STOCK_RESTOCK: ("deducted", "free"),
}
EVENTS: dict[str, Any] = {
    "capture": capture("t1"),
    "capture of another attempt": capture("t2"),
    "capture of too little": capture("t3", 999),
    "failed attempt": capture("t4", kind="failed"),
    "cancel": cancellation("x1"),
    "cancel again": cancellation("x2"),
    "timeout": "timeout",
}
GOODS = {
    "pay": {State.AWAITING_PAYMENT: "locked", State.PAID: "deducted", State.CANCELLED: "free"},
    "create": {State.AWAITING_PAYMENT: "deducted", State.PAID: "deducted", State.CANCELLED: "free"},
}
"""Maps the moment at which stock is deducted to the place of the goods in each state."""


@dataclass
class OrderModel:
    """One order, and where its money and its goods are. `apply` is the entry: it handles one event and its effects."""

    book: Book[Any]
    goods: str = "locked"
    kept: int = 0
    refunds: list[str] = field(default_factory=list)
    paid_in: int = 0

    def apply(self, name: str, event: Any) -> None:
        seen = len(self.book.steps)
        match event:
            case PaymentResult():
                self.pay(envelope(event, name))
            case OrderCancel():
                self.cancel(envelope(event, name))
            case _:
                self.time_out(name)
        for step in self.book.steps[seen:]:
            self.apply_effects(step.effects)

    def pay(self, item: Any, rivals: Iterable[str] = ()) -> PaymentFact:
        context = PaymentContext(self.book, {}, {}, {}, frozenset(rivals), NOW)
        fact = payment_results.apply_result(context, self.book[ORDER_ID], item, item.body)
        if item.body.kind == "captured":
            self.paid_in += 1
        if fact.verdict in STRAY_CAUSES:
            self.refunds.append(due_for_stray(self.book, fact, because=item).cause)
        self.kept += fact.result.amount if fact.verdict == "kept" else 0
        return fact

    def cancel(self, item: Any) -> None:
        context = order_changes.ChangeContext(self.book, {}, {}, NewIds())
        if order_changes.decide(item, self.book[ORDER_ID], context) is None:
            order_changes.step(context, item, ORDER_ID, NOW)

    def time_out(self, name: str) -> None:
        timer = Timer(TimerKind.PAYMENT, ORDER_ID, NOW - timedelta(minutes=1))
        trigger = timeouts.decide(timer, self.book[ORDER_ID], NOW, handled_until=NOW)
        assert trigger is not timeouts.NoStep.TOO_EARLY
        if isinstance(trigger, Trigger):
            because = envelope("timer.due", name)
            self.book.move(ORDER_ID, trigger, because=because, at=NOW, **timeouts.fields(trigger))

    def apply_effects(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if effect in STOCK:
                assert self.goods == STOCK[effect][0], f"{effect} while the goods are {self.goods}"
                self.goods = STOCK[effect][1]
            if effect is Effect.REFUND_ALL:
                self.refunds.append(f"cancel:{ORDER_ID}")
                self.kept = 0
