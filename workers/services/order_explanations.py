"""Answers order.explain and order.as_of. The rules of an explanation are in workers/views/explanation.py."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from db.pool import Transaction
from messages.base import QueryRejected
from messages.explanations import (
    AwaitedShown,
    CaseAsOf,
    DiedShown,
    OpenStepShown,
    OrderAsOf,
    OrderExplained,
    OrderShownAsOf,
    ParcelAsOf,
)
from messages.order_history import HistoryStep
from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.after_sale_rules import WAITING, becomes_when_due
from workers.domain.after_sales import CaseState
from workers.domain.captchas import CaptchaChallenge
from workers.domain.codes import Code
from workers.domain.hand_overs import HandOverState
from workers.domain.holds import HoldKind
from workers.domain.order import State
from workers.domain.refund_amounts import GONE
from workers.domain.shipping import CarrierFact, ParcelState, after_facts
from workers.services import order_timers
from workers.services.answer_parts import exchanged, group, money, named, step
from workers.services.order_timers import OrderTimers
from workers.store import after_sales, explanations, order_lists
from workers.store.waybills import WaybillState
from workers.views import loading
from workers.views.awaits import MOVED_BY, Awaited, Awaits, Whom
from workers.views.explanation import ATTEMPT_OPEN, awaited, open_steps
from workers.views.loading import Rows
from workers.views.situation import (
    AtWarehouse,
    CancellationAhead,
    CaseTimes,
    OpenAttempt,
    OpenWaybill,
    OwedGoods,
    PlacedOn,
    Situation,
)
from workers.views.whole import Shipment, Whole


@dataclass(frozen=True)
class ExplanationContext:
    """What one batch has read for explanations, by order id. `logs` are the steps of orders and of their children."""

    logs: Rows = field(default_factory=dict)
    situations: Mapping[int, Situation] = field(default_factory=dict)
    died: Rows = field(default_factory=dict)
    parcel_facts: Rows = field(default_factory=dict)
    case_steps: Rows = field(default_factory=dict)


async def read(tx: Transaction, explained: Iterable[Whole], as_of: Iterable[Whole]) -> ExplanationContext:
    """Read what explaining the first orders and showing the others at an earlier time needs."""
    first, others = list(explained), list(as_of)
    family = sorted({one.head.id for whole in first for one in (whole, *whole.children)})
    past = sorted({one.head.id for whole in others for one in (whole, *whole.children)})
    logs = await loading.steps(tx, {*family, *past})
    rows = await explanations.read_rows(tx, family)
    case_steps = await loading.case_steps(tx, [*first, *others])
    live = {case.order_id for whole in first for case in whole.cases if not case.ended}
    live |= {whole.replaces.first_order_id for whole in first if whole.replaces is not None}
    rows |= {"case_steps": case_steps, "case_timers": await explanations.read_case_timers(tx, live)}
    rules = await after_sales.rules_of(tx, live)
    rows |= {"send_backs": await explanations.read_send_backs(tx, {c.order_id for whole in first for c in whole.cases})}
    attempts = await order_lists.attempts(tx, family)
    timers = await order_timers.read(tx, (one for whole in first for one in (whole, *whole.children)), rows["holds"])
    return ExplanationContext(
        logs=logs,
        situations={
            one.head.id: _situation(one, logs, rows, attempts, rules, timers=timers[one.head.id])
            for whole in first
            for one in (whole, *whole.children)
        },
        died=await explanations.read_dead_letters(tx, [whole.head.id for whole in first]),
        parcel_facts=await explanations.read_parcel_facts(tx, past),
        case_steps=case_steps,
    )


def _situation(
    one: Whole,
    logs: Rows,
    rows: Mapping[str, Rows],
    attempts: Rows,
    rules: Mapping[int, AfterSaleRules],
    *,
    timers: OrderTimers,
) -> Situation:
    key = one.head.id
    entered = entry(logs.get(key, ()))
    return Situation(
        since=entered["at"] if entered is not None else None,
        timers=timers.due,
        missing_timers=timers.missing,
        unpolled=timers.unpolled,
        cancellation=next((_ahead(row) for row in rows["cancellations"].get(key, ())), None),
        captcha=next((CaptchaChallenge(*row) for row in rows["captchas"].get(key, ())), None),
        holds=[
            PlacedOn(row["id"], HoldKind(row["kind"]), row["placed_at"], row["held_since"])
            for row in rows["holds"].get(key, ())
            if row["released_at"] is None
        ],
        hand_overs=[
            AtWarehouse(
                row["warehouse"],
                HandOverState(row["state"]),
                row["updated_at"],
                is_stopping=row["cancel_no"] is not None,
                at_work_since=row["accepted_at"],
            )
            for row in rows["hand_overs"].get(key, ())
        ],
        waybills=[
            OpenWaybill(row["id"], row["carrier"], row["requested_at"], cancels=row["state"] == WaybillState.UNUSED)
            for row in rows["waybills"].get(key, ())
        ],
        cases=_case_times(one, rows, rules),
        send_backs=[_owed(row) for row in rows["send_backs"].get(key, ())],
        attempts=[
            OpenAttempt(row["id"], row["provider"], row["started_at"], row["expire_at"])
            for row in attempts.get(key, ())
            if row["state"] in ATTEMPT_OPEN
        ],
    )


def _ahead(row: Any) -> CancellationAhead:
    return CancellationAhead(row["at"], row["scheduled_at"], row["actor_type"] == "user", row["unpaid"])


def _owed(row: Any) -> OwedGoods:
    """Return goods that a warehouse owes. If the state of their case has a time of its own, the timer is about that."""
    until = None if CaseState(row["state"]) in WAITING else row["due_at"]
    return OwedGoods(row["case_no"], row["warehouse"], row["requested_at"], until)


def _case_times(one: Whole, rows: Mapping[str, Rows], rules: Mapping[int, AfterSaleRules]) -> dict[int, CaseTimes]:
    """Case id -> its times: of the order's own cases, and of the case that an exchange order is of."""
    times: dict[int, CaseTimes] = {}
    for key in {one.head.id} | ({one.replaces.first_order_id} if one.replaces is not None else set()):
        until = {row["case_id"]: row["due_at"] for row in rows["case_timers"].get(key, ())}
        for row in rows["case_steps"].get(key, ()):
            if row["cur_state"] != row["pre_state"]:  # the last such step of each case led into its state
                state = CaseState(row["cur_state"])
                due = until.get(row["case_id"]) if state in WAITING else None  # else it is that of goods to send back
                otherwise = None if due is None else becomes_when_due(state, rules[key])
                times[row["case_id"]] = CaseTimes(row["at"], due, otherwise)
    return times


def entry(log: Sequence[Any]) -> Any | None:
    """Return the step that led into the last state of a log; None if the log is empty."""
    return next((row for row in reversed(log) if row["cur_state"] != row["pre_state"]), None)


def explain(whole: Whole, context: ExplanationContext, asks: str) -> OrderExplained:
    """Build order.explained for a user or an operator (`asks`)."""
    entered = entry(context.logs.get(whole.head.id, ()))
    died = () if asks == "user" else context.died.get(whole.head.id, ())
    return OrderExplained(
        **named(whole),
        **exchanged(whole),
        payable=money(whole.head.payable_amount, whole.head.currency),
        entered=step(entered, asks) if entered is not None else None,
        awaits=tuple(show_awaited(one, asks) for one in awaited(whole, context.situations) if _concerns(one, asks)),
        next=tuple(OpenStepShown(trigger=one.trigger, to=one.to) for one in open_steps(whole.head.state)),
        died=tuple(_died(row) for row in died),
        group=group(whole.group),
    )


def _concerns(one: Awaited, asks: str) -> bool:
    """True unless a buyer asks and it is the shop's own affair: that money of theirs could not be taken."""
    return asks != "user" or one.what is not Awaits.CAPTURE_AGAIN


def show_awaited(one: Awaited, asks: str) -> AwaitedShown:
    """Show what is awaited.

    A buyer does not see which hold of the shop's people it is, nor when it was placed, nor how far the shop's answer to
    a dispute is, nor which timer of the shop is missing.
    """
    if asks == "user" and (one.what is Awaits.RELEASE or (one.what is Awaits.RESUMPTION and one.whom is Whom.OPERATOR)):
        one = replace(one, ref=None, since=None)
    if asks == "user" and one.what in (Awaits.DISPUTE_ANSWER, Awaits.DISPUTE_DECISION):
        one = replace(one, what=Awaits.DISPUTE_DECISION, whom=Whom.PROVIDER, since=None, until=None)
    return AwaitedShown(
        order_id=one.order_id,
        what=one.what,
        whom=one.whom,
        name=one.name,
        ref=one.ref,
        since=one.since,
        until=one.until,
        otherwise=one.otherwise,
        case_no=one.case_no,
        moved_by=MOVED_BY[one.what],
        missing_timer=None if asks == "user" else one.missing_timer,
    )


def _died(row: Any) -> DiedShown:
    return DiedShown(
        dead_letter_id=row["id"],
        queue=row["queue"],
        type=row["type"],
        reason=row["reason"],
        decision=row["state"],
        died_at=row["died_at"],
    )


def show_as_of(whole: Whole, body: OrderAsOf, context: ExplanationContext) -> OrderShownAsOf | QueryRejected:
    """Build order.shown_as_of, or reject a time at which the order did not exist."""
    head, at = whole.head, body.at
    log = [row for row in context.logs.get(head.id, ()) if row["at"] <= at]
    if not log:
        why = f"the order was placed later, at {head.created_at.isoformat()}"
        return QueryRejected(code=Code.ORDER_NOT_FOUND, message=why, path="$.at")
    last: HistoryStep = step(log[-1], body.actor.type)
    known = [fact for fact in whole.facts if fact.currency == head.currency and fact.recorded_at <= at]
    captured = sum(fact.amount for fact in known if fact.kind == "captured")
    gone = [refund for refund in whole.refunds if refund.currency == head.currency and refund.state in GONE]
    put_back = sum(row["discount"] or 0 for row in context.logs.get(head.id, ()) if row["at"] > at)
    refunded = sum(refund.gone for refund in gone if refund.finished_at is not None and refund.finished_at <= at)
    return OrderShownAsOf(
        **named(whole) | {"state": State(last.state).value, "version": last.version},
        at=at,
        last=last,
        payable=money(head.payable_amount + put_back, head.currency),
        captured=money(captured, head.currency),
        refunded=money(refunded, head.currency),
        parcels=tuple(_parcels_as_of(whole, at, context)),
        cases=tuple(_cases_as_of(whole, at, context)),
    )


def _cases_as_of(whole: Whole, at: datetime, context: ExplanationContext) -> list[CaseAsOf]:
    steps = [row for one in (whole, *whole.children) for row in context.case_steps.get(one.head.id, ())]
    last = {row["case_id"]: row for row in steps if row["at"] <= at}
    shown = [(case, last[case.id]) for case in whole.cases if case.id in last]
    return [
        CaseAsOf(
            case_id=case.id,
            case_no=case.case_no,
            order_id=case.order_id,
            type=case.type,
            state=row["cur_state"],
            version=row["version"],
        )
        for case, row in shown
    ]


def _parcels_as_of(whole: Whole, at: datetime, context: ExplanationContext) -> list[ParcelAsOf]:
    facts: dict[int, list[CarrierFact]] = {}
    for one in (whole, *whole.children):
        for row in context.parcel_facts.get(one.head.id, ()):
            known = facts.setdefault(row["shipment_id"], [])
            if row["event_id"] is not None and row["recorded_at"] <= at:
                fact = CarrierFact(row["event_id"], row["status"], row["occurred_at"])
                if fact not in known:
                    known.append(fact)
    booked = [parcel for parcel in whole.shipments if parcel.booked_at is not None and parcel.booked_at <= at]
    return [_parcel_as_of(parcel, facts.get(parcel.id, ())) for parcel in booked]


def _parcel_as_of(parcel: Shipment, facts: Iterable[CarrierFact]) -> ParcelAsOf:
    withdrawn = parcel.state is ParcelState.CANCELLED  # when it was withdrawn is not kept
    state = parcel.state if withdrawn else after_facts(parcel, facts).state
    return ParcelAsOf(carrier=parcel.carrier, tracking_no=parcel.tracking_no, state=state)
