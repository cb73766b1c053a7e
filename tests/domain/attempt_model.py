"""One order with two attempts at two providers, the messages in flight, and every situation that can come of it.

The providers are modelled here; the handlers' own pure functions decide about the order and its attempts. A Situation
is a value, so one that is reached in several ways is examined once. `following` yields every next situation, `at_rest`
delivers all messages and polls until nothing is open. A provider that captures after it reported a failure sends a
notification, because we do not poll a failed attempt. Only the first provider notifies that it closed an attempt.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any, TypeAlias

import orjson

from messages.payments import PaymentResult
from messages.providers import ProviderClose, ProviderQuery
from tests.domain.builders import NOW, ORDER_ID, cancellation, envelope
from tests.domain.order_model import OrderModel
from workers.domain.book import Book
from workers.domain.order import Order, State
from workers.domain.payment_rules import AttemptState
from workers.handlers import payment_results, provider_calls
from workers.providers.port import PaymentReport
from workers.services import payment_notifications
from workers.services.attempts import observed
from workers.services.payment_context import ReportedResult
from workers.services.payment_notifications import ClosingReported, NothingNew, PaymentReported, ProviderReport
from workers.store import payments
from workers.store.attempts import DONE, LIVE, Attempt, AttemptChange

NAMES = ("a", "b")
PROVIDERS = {"a": "alipay", "b": "wechat"}
ID = {"a": 11, "b": 12}
OPEN, PAID, CLOSED = "open", "paid", "closed"
KIND_OF = {"notification": "captured", "observed": "captured", "declined": "failed", "notified closed": "closed"}
"""Maps each kind of result that payment_results handles to the state that it reports."""
InFlight: TypeAlias = frozenset[tuple[str, str, int]]


@dataclass(frozen=True)
class Situation:
    """`provider_states` and `attempts` are states by place in NAMES; `in_flight` are messages and their copies."""

    order: Order
    goods: str
    charged: tuple[int, ...]
    provider_states: tuple[str, ...] = (OPEN, OPEN)
    attempts: tuple[str, ...] = ("requested", "requested")
    in_flight: InFlight = frozenset()
    facts: frozenset[tuple[str, str, str]] = frozenset()
    refunds: frozenset[str] = frozenset()
    kept: int = 0

    def __hash__(self) -> int:
        """Hash only what can change: orders are large, and most of one never changes."""
        about = self.order.state, self.order.captured_amount
        return hash((about, self.provider_states, self.attempts, self.in_flight, self.facts, self.refunds))

    def provider_state(self, name: str) -> str:
        return self.provider_states[NAMES.index(name)]

    def state(self, name: str) -> str:
        return self.attempts[NAMES.index(name)]

    def with_sent(self, kind: str, name: str = "", count: int = 1) -> "Situation":
        """The situation with this many copies of the message in flight."""
        others = frozenset(one for one in self.in_flight if one[:2] != (kind, name))
        return replace(self, in_flight=others | {(kind, name, count)} if count else others)

    def with_provider_state(self, name: str, state: str) -> "Situation":
        return replace(self, provider_states=_set(self.provider_states, name, state))

    def with_changes(self, changes: list[AttemptChange]) -> "Situation":
        """The situation after these changes; `captured` is final."""
        states, merged = self.attempts, dict[int, AttemptChange]()
        for change in changes:
            merged[change.id] = change.after(merged.get(change.id))
        for change in merged.values():
            name = NAMES[change.id - ID["a"]]
            if self.state(name) != "captured" and change.state:
                states = _set(states, name, change.state)
        return replace(self, attempts=states)


def _set(states: tuple[str, ...], name: str, state: str) -> tuple[str, ...]:
    return tuple(state if one == name else before for one, before in zip(NAMES, states, strict=True))


def following(situation: Situation) -> Iterator[tuple[str, Situation]]:
    """Every next situation: a change at a provider, a delivery, or a poll."""
    for name in NAMES:
        if situation.provider_state(name) == OPEN:
            paid = situation.with_provider_state(name, PAID)
            yield f"{name} is paid and notified twice", paid.with_sent("notification", name, 2)
            if not _was_declined(situation, name):
                yield f"{name} is paid and never notified", paid
            if name == "a" and not _was_declined(situation, name):
                yield f"{name} is declined", situation.with_sent("declined", name)
        if situation.state(name) not in DONE:
            yield f"{name} is polled", polled(situation, name, "query", over=False)
    for kind, name, count in sorted(situation.in_flight):
        yield f"{kind} {name}", delivered(situation.with_sent(kind, name, count - 1), kind, name)


def _was_declined(situation: Situation, name: str) -> bool:
    key = payments.key_of(result(name, "failed", 0))
    return key in situation.facts or ("declined", name, 1) in situation.in_flight


def delivered(situation: Situation, kind: str, name: str, *, over: bool = False) -> Situation:
    """The situation after one message was handled."""
    if kind == "close":
        return polled(situation, name, kind, over)
    changes: list[AttemptChange] = []
    after = situation
    if kind in KIND_OF:
        charged = situation.charged[NAMES.index(name)]
        results, changes = reported(name, situation.state(name), kind, charged)
        for one in results:
            if payments.key_of(one) not in situation.facts:
                others = [other for other in NAMES if other != name and situation.state(other) in LIVE]
                after = folded(situation, (name, KIND_OF[kind], charged), bool(others))
                after = replace(after, facts=situation.facts | {payments.key_of(one)})
    else:
        after = folded(situation, kind)
    return closing(situation, after, list(changes))


def attempt(name: str, state: str, over: bool = False) -> Attempt:
    """An attempt as its row holds it; with `over`, its window has ended."""
    return Attempt(
        id=ID[name],
        out_trade_no=f"P{ID[name]}",
        intent_id=8,
        order_id=ORDER_ID,
        provider=PROVIDERS[name],
        scene="page",
        amount=1000,
        currency="CNY",
        state=AttemptState(state),
        reference=None,
        trade_no=None,
        command=("scope", name),
        details={},
        started_at=NOW - timedelta(minutes=90),
        expire_at=NOW + timedelta(minutes=-60 if over else 1),
    )


def answer_of(name: str, status: Any, charged: int) -> PaymentReport:
    """The provider's report. A declined card has a trade number of its own."""
    trade_no = f"t{name}-declined" if status == "failed" else f"t{name}"
    return PaymentReport(f"P{ID[name]}", trade_no, status, charged, "CNY", NOW)


@cache
def reported(name: str, state: str, kind: str, charged: int) -> tuple[list[PaymentResult], list[AttemptChange]]:
    """What a notification, or the answer to a poll, changes in the order and in the attempt."""
    one, paid = attempt(name, state), answer_of(name, KIND_OF[kind], charged)
    if kind == "observed":
        report = payment_notifications.answered_poll(envelope(observed(one, paid), "n"), one)
    else:
        report = ProviderReport(
            envelope(paid, "n"), payment_notifications.interpret_for_attempt(one, paid, proven=True)
        )
    meaning, accepted = report.meaning, list[ReportedResult]()
    assert isinstance(meaning, PaymentReported | ClosingReported | NothingNew)
    if isinstance(meaning, PaymentReported):
        accepted.append(ReportedResult(report.item, meaning.result, meaning.attempt))
    return [one.result for one in accepted], payment_results.attempt_changes([report], accepted)


@cache
def result(name: str, status: str, charged: int) -> PaymentResult:
    kind = next(kind for kind, meant in KIND_OF.items() if meant == status)
    [one], _ = reported(name, "requested", kind, charged)
    return one


def folded(situation: Situation, event: str | tuple[str, str, int], has_rival: bool = False) -> Situation:
    """The situation after the order took a payment, a cancellation or a timeout."""
    order, goods, kept, refunds = _folded(situation.order, situation.goods, situation.kept, event, has_rival)
    assert not situation.refunds & refunds, f"refunded twice: {refunds}"
    return replace(situation, order=order, goods=goods, kept=kept, refunds=situation.refunds | refunds)


@cache
def _folded(
    order: Order, goods: str, kept: int, event: str | tuple[str, str, int], has_rival: bool
) -> tuple[Order, str, int, frozenset[str]]:
    model = OrderModel(Book({ORDER_ID: order}), goods, kept)
    if isinstance(event, str):
        model.apply(event, cancellation() if event == "cancel" else event)
    else:
        model.pay(envelope(result(*event), "n"), {"n"} if has_rival else ())
        for step in model.book.steps:
            model.apply_effects(step.effects)
    assert len(set(model.refunds)) == len(model.refunds)
    return model.book[ORDER_ID], model.goods, model.kept, frozenset(model.refunds)


def closing(before: Situation, after: Situation, changes: list[AttemptChange]) -> Situation:
    """Close the other attempts of an order that no longer waits for a payment, as the service does."""
    if before.order.state is State.AWAITING_PAYMENT is not after.order.state:
        done = {change.id for change in changes if change.state in DONE}
        for name in NAMES:
            if before.state(name) in LIVE and ID[name] not in done:
                changes.append(AttemptChange(ID[name], AttemptState.CLOSING))
                after = after.with_sent("close", name)
    return after.with_changes(changes)


def polled(situation: Situation, name: str, call: str, over: bool) -> Situation:
    """The situation after a call of the provider and its answer."""
    if situation.state(name) in DONE:
        return situation
    provider_state = situation.provider_state(name)
    if call == "close" and provider_state == OPEN:
        situation, provider_state = (
            situation.with_provider_state(name, CLOSED).with_sent("notified closed", name, int(name == "a")),
            CLOSED,
        )
    changes, sent = answered(
        name, situation.state(name), call, provider_state, situation.charged[NAMES.index(name)], over
    )
    for kind in sent:
        situation = situation.with_sent(kind, name)
    return situation.with_changes(changes)


@cache
def answered(  # noqa: PLR0917 (all that the answer depends on)
    name: str, state: str, call: str, provider_state: str, charged: int, over: bool
) -> tuple[list[AttemptChange], list[str]]:
    """The changes of the attempt, and the kinds of messages that are sent."""
    one = attempt(name, state, over)
    item: Any = envelope((ProviderClose if call == "close" else ProviderQuery)(attempt_id=one.id), "g")
    context = provider_calls.CallContext({one.id: one}, {}, {}, NOW, timedelta(seconds=60), name)
    if call == "close":
        answer = answer_of(name, "pending" if provider_state == PAID else provider_state, charged)
    else:
        answer = answer_of(name, {PAID: "captured", OPEN: "pending", CLOSED: "closed"}[provider_state], charged)
    kinds = {"payment.observed.v1": "observed", "provider.close.v1": "close"}
    decision = provider_calls.decide(item, answer, context)
    for news in decision.announcements:
        assert news.type != "payment.observed.v1" or orjson.loads(news.json_bytes)["trade_no"] == f"t{name}"
    changes = [decision.change] if decision.change else []
    return changes, [kinds[news.type] for news in decision.announcements if news.type in kinds]


def at_rest(situation: Situation) -> Situation:
    """Deliver all messages and poll every open attempt until nothing is open."""
    for _ in range(20):
        for kind, name, count in sorted(situation.in_flight):
            situation = delivered(situation.with_sent(kind, name, count - 1), kind, name, over=True)
        for name in NAMES:
            if situation.state(name) not in DONE:
                situation = polled(situation, name, "query", over=True)
        if not situation.in_flight and all(state in DONE for state in situation.attempts):
            return situation
    raise AssertionError(f"never at rest: {situation}")
