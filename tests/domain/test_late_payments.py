"""Late payments of an order that its policy reinstates, in any order of events: captures, cancellations, timers, stock.

The handlers' own pure functions decide. Messages to the stock, and its answers, arrive in any order.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messages.stock import StockLine, StockRefused, StockReserved
from tests.domain.builders import NOW, ORDER_ID, cancellation, capture, envelope, order
from workers.domain.book import Book
from workers.domain.order import CancelType, Effect, OrderKind, State, Trigger
from workers.domain.payment_rules import PAYMENT_TIMEOUT, may_reinstate
from workers.domain.shop import DeductOn, OnLatePayment
from workers.domain.stock_counters import Counter
from workers.domain.stock_reservations import Holder, HolderState, StockBatch, StockVerdict, Want
from workers.handlers import order_changes, payment_results, stock_results, timeouts
from workers.services.order_events import turn_of
from workers.services.payment_context import PaymentContext
from workers.services.refunds import STRAY_CAUSES
from workers.store.ids import NewIds
from workers.store.timers import Timer, TimerKind

PLACE, UNITS, ANOTHER = ("s1", "main"), 2, 99
WANTS = [Want(ORDER_ID, PLACE, UNITS)]
GOODS = {ORDER_ID: (StockLine(holder_id=ORDER_ID, sku_id="s1", warehouse="main", qty=UNITS),)}
CAPTURES = {"t1": 1000, "t2": 1000, "t3": 1000, "t4": 999}


@dataclass
class LatePayments:
    """One order, the stock, and the messages between them."""

    dice: random.Random
    book: Book[Any] = field(
        default_factory=lambda: Book({ORDER_ID: order(on_late_payment=OnLatePayment.REINSTATE_IF_STOCK)})
    )
    stock: StockBatch = field(
        default_factory=lambda: StockBatch(
            {PLACE: Counter(UNITS, UNITS)},
            {
                ORDER_ID: Holder(ORDER_ID, ORDER_ID, HolderState.RESERVED, reserved={PLACE: UNITS}),
                ANOTHER: Holder(ANOTHER, ANOTHER),
            },
        )
    )
    to_stock: list[tuple[str, int]] = field(default_factory=list)
    answers: list[StockReserved | StockRefused] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)
    refunded: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        return self.book[ORDER_ID].state

    def apply(self, event: str) -> None:
        seen = len(self.book.steps)
        match event:
            case "cancel":
                self.cancel()
            case "payment timer":
                self.fire(TimerKind.PAYMENT)
            case "saga timer":
                self.fire(TimerKind.SAGA)
            case "stock works":
                self.work()
            case "stock answers":
                self.answer()
            case "another buyer":
                self.stock.reserve(ANOTHER, [Want(ANOTHER, PLACE, UNITS)], in_time=True)
            case _:
                self.capture(event)
        for step in self.book.steps[seen:]:
            self.follow(step)

    def capture(self, trade: str) -> None:
        if trade in self.verdicts:
            return  # the same fact again changes nothing
        item = envelope(capture(trade, CAPTURES[trade]), trade)
        context = PaymentContext(self.book, {}, {}, {}, frozenset(), NOW, goods=GOODS)
        verdict = payment_results.apply_result(context, self.book[ORDER_ID], item, item.body).verdict
        self.verdicts[trade] = verdict
        if verdict in STRAY_CAUSES:
            self.refunded.append(trade)

    def cancel(self) -> None:
        item, context = envelope(cancellation(), "x"), order_changes.ChangeContext(self.book, {}, {}, NewIds())
        if order_changes.decide(item, self.book[ORDER_ID], context) is None:
            order_changes.step(context, item, ORDER_ID, NOW)

    def fire(self, kind: TimerKind) -> None:
        due = Timer(kind, ORDER_ID, NOW - timedelta(minutes=1))
        trigger = timeouts.decide(due, self.book[ORDER_ID], NOW, handled_until=NOW)
        if isinstance(trigger, Trigger):
            self.book.move(ORDER_ID, trigger, because=envelope("timer.due", kind), at=NOW, **timeouts.fields(trigger))

    def work(self) -> None:
        if not self.to_stock:
            return
        op, turn = message = self.to_stock.pop(self.dice.randrange(len(self.to_stock)))
        later = False
        if op == "reserve":
            found = self.stock.reserve(ORDER_ID, WANTS, in_time=True, turn=turn)
            later = found is None
            if found is not None:
                refused = StockRefused(group_id=ORDER_ID, code=found.code or "", turn=turn) if found.code else None
                self.answers.append(refused or StockReserved(group_id=ORDER_ID, turn=turn))
        else:
            verdict = {
                "release": lambda: self.stock.release(ORDER_ID, turn),
                "commit": lambda: self.stock.commit(ORDER_ID),
                "restock": lambda: self.stock.restock(ORDER_ID, "cancel", {}),
            }[op]()
            assert verdict is not StockVerdict.DISCREPANCY, message
            later = verdict is StockVerdict.LATER
        if later:
            self.to_stock.append(message)

    def answer(self) -> None:
        if not self.answers:
            return
        answer = self.answers.pop(self.dice.randrange(len(self.answers)))
        if stock_results.TURNS.get(self.state) == answer.turn:
            stock_results.reinstate(self.book, envelope(answer, "answer"), NOW)

    def follow(self, step: Any) -> None:
        for effect in step.effects:
            match effect:
                case Effect.STOCK_RESERVE:
                    self.to_stock.append(("reserve", 1))
                case Effect.STOCK_RELEASE:
                    self.to_stock.append(("release", turn_of(step)))
                case Effect.STOCK_COMMIT:
                    self.to_stock.append(("commit", 0))
                case Effect.STOCK_RESTOCK:
                    self.to_stock.append(("restock", 0))
                case Effect.CAPTURE_KEPT:
                    self.decide("waiting", "kept")
                case Effect.CAPTURE_REFUNDED:
                    self.refunded.append(self.decide("waiting", "late"))
                case Effect.REFUND_ALL:
                    self.refunded.append(self.decide("kept", "kept, then refunded"))

    def decide(self, before: str, now: str) -> str:
        [trade] = [trade for trade, verdict in self.verdicts.items() if verdict == before]
        self.verdicts[trade] = now
        return trade

    def drain(self) -> None:
        """Let the stock and its answers arrive, and after that every deadline."""
        for _ in range(30):
            self.apply("stock works")
            self.apply("stock answers")
        self.apply("saga timer")
        for _ in range(30):
            self.apply("stock works")
        assert not self.to_stock, "a message to the stock comes too early for ever"


EVENTS = [*CAPTURES, "cancel", "payment timer", "saga timer", "stock works", "stock answers", "another buyer"]
IN_TURN = ["payment timer", "stock works", "t1", "stock works", "stock answers"]


@given(st.lists(st.sampled_from(EVENTS), max_size=14), st.integers(0, 2**32))
@example(IN_TURN, 1)
@example([*IN_TURN, "cancel", "t2"], 1)
@example(["payment timer", "t1", "stock works", "stock works", "cancel", "stock answers"], 1)
@example(["payment timer", "stock works", "another buyer", "t1", "stock works", "stock answers", "t2"], 1)
def test_money_and_goods_end_together_in_any_order_of_events(events: list[str], seed: int) -> None:
    """The captures that are kept are what the order costs if it ends paid, else nothing; all others go back once."""
    model = LatePayments(random.Random(seed))
    for event in events:
        model.apply(event)
    model.drain()
    kept = [trade for trade, verdict in model.verdicts.items() if verdict == "kept"]
    assert sum(CAPTURES[trade] for trade in kept) == (1000 if model.state is State.PAID else 0)
    assert sorted([*kept, *model.refunded]) == sorted(model.verdicts), "each capture is kept or refunded, once"
    others = model.stock.holders[ANOTHER].reserved.get(PLACE, 0)
    held = {State.PAID: (0, 0), State.AWAITING_PAYMENT: (UNITS, UNITS)}.get(model.state, (UNITS, others))
    counter = model.stock.counters[PLACE]
    assert (counter.on_hand, counter.locked) == held
    assert model.state in {State.PAID, State.AWAITING_PAYMENT, State.CANCELLED}


def test_an_order_is_reinstated_in_turn() -> None:
    model = LatePayments(random.Random(1))
    for event in IN_TURN:
        model.apply(event)
    assert (model.state, model.verdicts) == (State.PAID, {"t1": "kept"})


REINSTATES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"on_late_payment": OnLatePayment.REFUND}, False),
    ({"deduct_on": DeductOn.SHIP}, True),
    ({"deduct_on": DeductOn.CREATE}, False),
    ({"cancel_type": CancelType.USER}, False),
    ({"cancel_type": CancelType.PAYMENT_FAILED}, False),
    ({"reason_code": "INVENTORY_INSUFFICIENT"}, False),
    ({"deleted": True}, False),
    ({"parent_id": 6}, False),
    ({"kind": OrderKind.EXCHANGE}, False),
    ({"group_key": 8}, False),
    ({"quota_units": 1}, False),
]


@pytest.mark.parametrize(("changes", "reinstates"), REINSTATES, ids=str)
def test_an_order_that_timed_out_is_reinstated_by_its_policy_and_once(
    changes: dict[str, Any], reinstates: bool
) -> None:
    timed_out = {
        "on_late_payment": OnLatePayment.REINSTATE_IF_STOCK,
        "cancel_type": CancelType.TIMEOUT,
        "reason_code": PAYMENT_TIMEOUT,
    }
    assert may_reinstate(order(State.CANCELLED, **timed_out | changes)) is reinstates
    assert not may_reinstate(order(State.REJECTED, **timed_out | changes))
