"""Handles risk.result, the verdict of the risk check on an order, and order.captcha.answer, a captcha that it wants.

    order is    risk.result passed, held                 risk.result rejected
    ----------  ---------------------------------------  -------------------------------------------------------
    placing     stock.reserve with the saga's deadline;  rejected: order.rejected with RISK_BLOCKED; coupon and
                held: also a hold, order.held            points are free again, and stock, if the verdict was
                                                         not requested
    otherwise   nothing: the saga timer came first       nothing
    unknown     retried, at last a dead letter           the same

    order is    risk.result captcha_required             order.captcha.answer
    ----------  ---------------------------------------  -------------------------------------------------------
    placing     order_captcha.required: it waits for     order_captcha.answered: risk.requested with the token,
                the buyer, and the saga timer with it;   and the saga timer begins anew; without a captcha, or
                after three answers, or if the time for  after its time, ORDER_STATE_INVALID
                one is 0, RISK_CAPTCHA_REQUIRED
    otherwise   nothing                                  ORDER_STATE_INVALID
    unknown     retried, at last a dead letter           ORDER_NOT_FOUND

The first verdict on an order counts and is stored with it (snapshot 6); a captcha is none, and ends with it. Until then
no stock is reserved (S3-10). timeouts.py rejects an order whose captcha was not answered (RISK_CAPTCHA_REQUIRED).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.captchas import OrderCaptchaAnswer, OrderCaptchaAnswered, OrderCaptchaRequired
from messages.envelope import Envelope
from messages.orders import OrderRejected
from messages.reasons import Reason
from messages.risk import RiskRequested, RiskResult
from messages.stock import StockLine, StockReserve
from workers import shop
from workers.domain.book import SYSTEM, Book
from workers.domain.captchas import CaptchaChallenge, Unneeded, require
from workers.domain.captchas import answer as answered_by
from workers.domain.codes import Code
from workers.domain.holds import HoldKind
from workers.domain.order import Effect, Order, State, Trigger
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, benefits, commands, order_events
from workers.services import holds as hold_steps
from workers.store import captchas, free_texts, holds, ids, orders, timers
from workers.store.holds import PlacedHold
from workers.store.orders import RiskStanding
from workers.store.timers import Timer, TimerKind

Item: TypeAlias = Envelope[RiskResult]
CaptchaItem: TypeAlias = Envelope[OrderCaptchaAnswer]
BLOCKED = Refusal(Code.RISK_BLOCKED, "the risk check refused the order")


class AfterVerdict(Enum):
    """What follows a verdict that rejects nothing: the stock is reserved, or the verdict came too late."""

    RESERVE = auto()
    RESERVE_AND_HOLD = auto()
    NOTHING = auto()


@dataclass
class RiskContext:
    """What one batch reads and decides with, as its messages change it. `saga_due` has the deadlines of placing.

    `challenges` are the captchas that orders have; the batch saves or ends those of the `challenged` orders.
    """

    book: Book[Item]
    standings: Mapping[int, RiskStanding]
    judged: set[int]
    challenges: dict[int, CaptchaChallenge]
    saga_due: dict[int, datetime]
    challenged: set[int] = field(default_factory=set)
    verdicts: list[tuple[int, Item]] = field(default_factory=list)
    passed: list[Item] = field(default_factory=list)
    suspect: list[Item] = field(default_factory=list)
    answered: list[tuple[CaptchaItem, CaptchaChallenge]] = field(default_factory=list)
    required: list[outbox.Announcement] = field(default_factory=list)

    def change(self, challenge: CaptchaChallenge, due: datetime) -> None:
        """Let the order wait until `due` for what comes next: an answer, or a verdict."""
        self.challenges[challenge.order_id] = challenge
        self.challenged.add(challenge.order_id)
        self.saga_due[challenge.order_id] = due


def decide(
    order: Order, body: RiskResult, context: RiskContext, now: datetime
) -> AfterVerdict | CaptchaChallenge | Refusal:
    """Return what follows the verdict: a captcha may, or the order is rejected. No I/O."""
    if order.id in context.judged or order.state is not State.PLACING:
        return AfterVerdict.NOTHING
    match body.verdict:
        case "captcha_required":
            window = context.standings[order.id].captcha_window_seconds
            wanted = require(order, context.challenges.get(order.id), window, body.captcha_answers, now)
            return AfterVerdict.NOTHING if isinstance(wanted, Unneeded) else wanted
        case "rejected":
            return BLOCKED
        case "held":
            return AfterVerdict.RESERVE_AND_HOLD
    return AfterVerdict.RESERVE


async def take_verdicts(tx: Transaction, batch: Batch[RiskResult | OrderCaptchaAnswer]) -> None:
    """Lock every order once, decide in order of arrival, write each table once. The first verdict counts."""
    claims = await commands.claim(tx, batch.of(OrderCaptchaAnswer))
    results, place = batch.of(RiskResult), {item.id: number for number, item in enumerate(batch)}
    context = await read(tx, {item.body.order_id for item in (*results, *claims.fresh)}, batch.now)
    outcomes: commands.Outcomes = {}

    for item in sorted((*results, *claims.fresh), key=lambda item: place[item.id]):
        if isinstance(item.body, OrderCaptchaAnswer):
            outcomes[commands.key_of(item)] = answer(context, item, batch.now), item
        elif item.body.order_id in context.book.before:
            judge(context, item, batch.now)
        else:
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")

    book, verdicts = context.book, context.verdicts
    reserves = await reservations(tx, context)
    requested = await requests(tx, context)
    held = await hold(tx, book, context.suspect, batch.now)
    await orders.save(tx, book)
    await holds.place(tx, held)
    await orders.keep_verdicts(tx, [(key, item.body.verdict, item.user) for key, item in verdicts])
    await free_texts.keep(tx, [(item, key, book[key].user_id) for key, item in verdicts])
    applied = await benefits.apply(tx, book, batch.now)
    await save_captchas(tx, context)
    answers = await commands.conclude(tx, outcomes | commands.creations(book))
    answered = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(
        tx,
        [
            *context.required,
            *answered,
            *reserves,
            *requested,
            *order_events.steps(book),
            *order_events.stock_orders(book),
            *benefits.announcements(applied),
            *answers,
            *claims.answers,
        ],
    )


async def read(tx: Transaction, order_ids: set[int], now: datetime) -> RiskContext:
    """Lock the orders, and read what the decisions depend on besides them."""
    book = Book[Item](await orders.lock(tx, order_ids))
    standings = await orders.risk_standings(tx, book.before)
    due = await timers.read(tx, [(TimerKind.SAGA, key) for key in book.before])
    saga_due = {key: due.get((TimerKind.SAGA, key), now) for key in book.before}
    judged = {key for key, standing in standings.items() if standing.judged}
    return RiskContext(book, standings, judged, await captchas.read(tx, book.before), saga_due)


def judge(context: RiskContext, item: Item, now: datetime) -> None:
    """Apply one result to the context."""
    order = context.book[item.body.order_id]
    decision = decide(order, item.body, context, now)
    if decision is AfterVerdict.NOTHING:
        return
    if isinstance(decision, CaptchaChallenge):
        context.change(decision, decision.until)
        required = OrderCaptchaRequired(
            order_id=order.id,
            user_id=order.user_id,
            request_id=order.request_id,
            captcha_answers=decision.answers,
            until=decision.until,
        )
        context.required.append(outbox.event(required, because=item, stream=order.root_id))
        return
    context.judged.add(order.id)
    context.verdicts.append((order.id, item))
    if context.challenges.pop(order.id, None) is not None:
        context.challenged.add(order.id)
    if isinstance(decision, Refusal):
        reject(context.book, order, item, decision, now)
    else:
        context.passed.append(item)
        context.suspect += [item] if decision is AfterVerdict.RESERVE_AND_HOLD else []


def answer(context: RiskContext, item: CaptchaItem, now: datetime) -> Event:
    """Apply one answer to the context, and return its outcome."""
    body = item.body
    order = context.book.get(body.order_id)
    if order is None or authorization.denied(body.actor, body.order_id, order) is not None:
        return commands.rejected(item, authorization.not_found(body.order_id))
    given = answered_by(order, context.challenges.get(order.id), now)
    if isinstance(given, Refusal):
        return commands.rejected(item, given)
    context.change(given, now + timedelta(seconds=shop.current().saga_deadline_seconds))
    context.answered.append((item, given))
    return OrderCaptchaAnswered(order_id=order.id, user_id=order.user_id, captcha_answers=given.answers)


async def requests(tx: Transaction, context: RiskContext) -> list[outbox.Announcement]:
    """Build risk.requested for each answer: the facts are those of the first request, and the token is new."""
    facts = await captchas.risk_facts(tx, [item.body.order_id for item, _ in context.answered])
    found = []
    for item, given in context.answered:
        order, known = context.book[item.body.order_id], facts[item.body.order_id]
        request = RiskRequested(
            order_id=order.id,
            user_id=order.user_id,
            channel=order.channel,
            business_type=known.business_type,
            amount=order.payable_amount,
            currency=order.currency,
            units=known.units,
            country=known.country,
            answer_before=context.saga_due[order.id],
            captcha_token=item.body.captcha_token,
            captcha_answers=given.answers,
        )
        found.append(outbox.event(request, because=item, stream=order.root_id))
    return found


async def save_captchas(tx: Transaction, context: RiskContext) -> None:
    """Save and end captchas, with the saga timer of each order that waits on."""
    open_ = [context.challenges[key] for key in sorted(context.challenged & context.challenges.keys())]
    await captchas.change(tx, saved=open_, ended=context.challenged - context.challenges.keys())
    await timers.change(
        tx,
        stopped=[(TimerKind.SAGA, key) for key in context.book.ids(Effect.SAGA_TIMER_ENDS)],
        started=[Timer(TimerKind.SAGA, one.order_id, context.saga_due[one.order_id]) for one in open_],
    )


async def reservations(tx: Transaction, context: RiskContext) -> list[outbox.Announcement]:
    """Build stock.reserve for each order that passed, which order_creation left until after the verdict."""
    book = context.book
    holders = {item.body.order_id: [o.id for o in book.family(item.body.order_id)] for item in context.passed}
    lines = await orders.lines(tx, [key for family in holders.values() for key in family])
    return [
        outbox.internal(
            StockReserve(
                group_id=item.body.order_id,
                deadline=context.saga_due[item.body.order_id],
                lines=tuple(
                    StockLine(
                        holder_id=key,
                        sku_id=line.sku_id,
                        warehouse=line.warehouse,
                        qty=line.qty,
                        others=tuple(
                            name
                            for name in context.standings[item.body.order_id].warehouses.get(line.sku_id, ())
                            if name != line.warehouse
                        ),
                    )
                    for key in holders[item.body.order_id]
                    for line in lines[key]
                ),
            ),
            because=item,
        )
        for item in context.passed
    ]


async def hold(tx: Transaction, book: Book[Item], suspect: Sequence[Item], now: datetime) -> list[PlacedHold]:
    """Hold the orders that the risk check wants a person to look at. Returns the holds to insert."""
    targets = [(item, order) for item in suspect for order in hold_steps.targets(book, item.body.order_id)]
    others = await holds.open_of(tx, [order.id for _, order in targets if order.held])
    new_ids = await ids.take(tx, [order.user_id for _, order in targets])
    why = hold_steps.Why(HoldKind.RISK, "risk_check", SYSTEM)
    return [
        hold_steps.place(book, order.id, others.get(order.id, ()), hold_id, why, because=item, now=now)[0]
        for hold_id, (item, order) in zip(new_ids, targets, strict=True)
    ]


def reject(book: Book[Item], order: Order, item: Item, refusal: Refusal, now: datetime) -> None:
    """Reject the order and its children. order.rejected does not repeat the risk check's reason."""
    for step in book.move_family(order.id, Trigger.RISK_REJECTED, because=item, at=now, reason_code=refusal.code):
        step.event = OrderRejected(
            **order_events.common(step),
            request_id=step.order.request_id,
            code=refusal.code,
            message=refusal.message,
        )


ROUTE = Route(queue="risk-results", handler=take_verdicts)
