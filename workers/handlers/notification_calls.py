"""Sends notifications to buyers, one queue for each medium that OMS_NOTIFICATIONS names (S3-35).

    buyer_notification.send, and             then
    ---------------------------------------  ---------------------------------------------------------------------
    the server took it                       sent: notification.sent
    the server refuses it for good           failed: notification.failed
    no definite answer                       retried on the delay ladder, under the same idempotency key
    none at the last attempt                 failed: notification.failed, a dead letter and an alert
    its template fails                       a dead letter at once, with file and line
    the user is erased, has no contact any   skipped, with the reason
    more or does not want it, or it expired
    the quiet hours of the contact began     it waits until they end
    it was sent before, or is unknown        nothing

The calls are made before the transaction, while none is open (services/buyer_notifications.py). While a medium's server
cannot be reached, only its own queue waits. A crash between call and commit sends a letter again, with the same key.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import AlertRaised, Event
from messages.buyer_notifications import BuyerNotificationSend, NotificationFailed, NotificationSent
from messages.envelope import Envelope
from messages.media import Medium
from messages.reasons import Reason
from messages.topology import notification_calls_queue
from workers import notifiers
from workers.domain.buyer_notifications import SkipReason
from workers.domain.codes import Code
from workers.notifiers.port import LetterAccepted, LetterRefused
from workers.notifiers.templates import TemplateFault
from workers.providers.port import UnknownOutcome
from workers.runtime.batch import Batch
from workers.runtime.route import CallRoute
from workers.services.buyer_notifications import NotificationAnswer, note, prepare, prepare_counts, send
from workers.store import buyer_notifications
from workers.store.buyer_notifications import NotificationEnd, NotificationState, WaitingNotification

Item: TypeAlias = Envelope[BuyerNotificationSend]
BATCH_MAX_ITEMS = 20  # the calls of a batch are made side by side


@dataclass(frozen=True)
class NotificationDecision:
    """What one answer changes. `outcome` is the label of the metric; `retry` and `dead` are verdicts with their why."""

    state: NotificationState
    reason: str | None = None
    outcome: str = ""
    wake_at: datetime | None = None
    retry: str | None = None
    dead: str | None = None
    events: tuple[Event, ...] = ()


def decide(  # noqa: PLR0911 (a case for each answer)
    one: WaitingNotification, answer: NotificationAnswer, *, last: bool
) -> NotificationDecision:
    """Decide what an answer changes. `last`: the runtime makes no other attempt. No I/O."""
    about: dict[str, Any] = {"notification_id": one.id, "medium": Medium(one.medium)}
    about |= {name: getattr(one, name) for name in ("order_id", "user_id", "kind", "cause")}
    match answer:
        case LetterAccepted():
            return NotificationDecision(NotificationState.SENT, None, "sent", events=(NotificationSent(**about),))
        case LetterRefused(code=code):
            failed = NotificationFailed(**about, reason_code=code)
            return NotificationDecision(NotificationState.FAILED, code, "failed", events=(failed,))
        case UnknownOutcome(why=why) if last:
            failed = NotificationFailed(**about, reason_code=Reason.NOTIFICATION_UNKNOWN)
            events = failed, unsent_alert(one)
            return NotificationDecision(NotificationState.FAILED, why, "failed", retry=why, events=events)
        case UnknownOutcome(why=why):
            return NotificationDecision(NotificationState.PENDING, why, "retried", retry=why)
        case TemplateFault(why=why):
            failed = NotificationFailed(**about, reason_code=Reason.TEMPLATE_FAILED)
            return NotificationDecision(NotificationState.FAILED, why, "failed", dead=why, events=(failed,))
        case SkipReason() as reason:
            return NotificationDecision(NotificationState.SKIPPED, reason, f"skipped_{reason}")
        case datetime() as until:
            return NotificationDecision(NotificationState.PENDING, None, "postponed", wake_at=until)


def unsent_alert(one: WaitingNotification) -> AlertRaised:
    """Build alert.raised: the medium's server gives no definite answer about a letter."""
    content = f"the {one.medium} notification {one.id} was not sent in {one.attempts + 1} attempts: see its dead letter"
    code = Code.NOTIFICATION_FAILED
    return AlertRaised.of(title="notification not sent", content=content, code=code, order_id=one.order_id)


async def take_answers(tx: Transaction, batch: Batch[BuyerNotificationSend]) -> None:
    """Decide on what happened before this transaction, and write all in one statement."""
    found = await buyer_notifications.read(tx, [item.body.notification_id for item in batch])
    attempts_max = notifiers.current().attempts_max
    decisions: list[tuple[Item, WaitingNotification, NotificationDecision]] = []
    for item in batch:
        one, answer = found.get(item.body.notification_id), batch.answers.get(item.id)
        if one is None or answer is None:
            continue
        decision = decide(one, answer, last=item.attempt + 1 >= attempts_max)
        decisions.append((item, one, decision))
        if decision.retry is not None:
            batch.retry(item, Reason.NOTIFICATION_UNKNOWN, decision.retry)
        if decision.dead is not None:
            batch.dead(item, Reason.TEMPLATE_FAILED, decision.dead)
    ended = await buyer_notifications.end(tx, [end_of(one, decision) for _, one, decision in decisions])
    news: list[outbox.Announcement] = []
    for item, one, decision in decisions:
        if one.id in ended:
            ended.discard(one.id)  # two copies in one batch announce it once
            note(one.medium, one.kind, decision.outcome)
            news += [outbox.event(event, because=item) for event in decision.events]
    await outbox.append(tx, news)


def end_of(one: WaitingNotification, decision: NotificationDecision) -> NotificationEnd:
    """Return what is written. A skipped or postponed one was not attempted."""
    attempted = decision.state is not NotificationState.SKIPPED and decision.wake_at is None
    return NotificationEnd(one.id, decision.state, decision.reason, one.attempts + attempted, decision.wake_at)


def route(medium: str) -> CallRoute:
    """Return the route of one medium's queue. While its server is away, only this queue waits."""
    prepare_counts(medium)
    return CallRoute(
        queue=notification_calls_queue(medium),
        handler=take_answers,
        batch_max_items=BATCH_MAX_ITEMS,
        prepare=partial(prepare, medium=medium),
        call=send,
    )
