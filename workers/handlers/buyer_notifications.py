"""Notifies buyers of what happens to their orders: it takes events of ours, as other systems do (S3-35).

    the event is                                        then
    --------------------------------------------------  ----------------------------------------------------------
    order.created, order.paid, order.shipped,           for each contact of its user: a notification that waits, and
    order.delivered, order.cancelled,                   buyer_notification.send to the queue of the medium
    refund.succeeded, after_sale.approved,
    after_sale.rejected
    in the quiet hours of a contact                     the notification waits until they end
    of a kind that a contact does not want              the notification is skipped, which is kept with its reason
    of a user without a contact, or of an order         nothing
    nobody knows
    of a part of a split order before it is paid        nothing: the whole order has the same event
    a repeat                                            nothing: one notification for each event, user and medium

Events are handled after the transaction that caused them, so no failure here affects an order. Every few seconds the
queue's workers wake the notifications whose quiet hours have ended, and drop those that could not be sent in time
(OMS_NOTIFICATION_EXPIRY_SECONDS). This queue exists where OMS_NOTIFICATIONS names a medium.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.buyer_notifications import NOTIFIED as KIND_OF
from messages.buyer_notifications import BuyerNotificationSend
from messages.envelope import Envelope
from messages.topology import BUYER_NOTIFICATIONS, notification_calls_queue
from workers import notifiers
from workers.domain.buyer_notifications import SkipReason, repeats_its_parent
from workers.domain.buyer_notifications import decide as decide_when
from workers.notifiers import Notifying
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.services.buyer_notifications import note
from workers.store import buyer_notifications, contacts
from workers.store.buyer_notifications import NotificationState, OwnedOrder, PlannedNotification
from workers.store.contacts import StoredContact

Item: TypeAlias = Envelope[Event]
WAKE_SECONDS = 5.0


@dataclass(frozen=True)
class NotificationContext:
    """What one batch reads and decides with."""

    notifying: Notifying
    owners: Mapping[int, OwnedOrder]
    contacts: Mapping[str, Sequence[StoredContact]]

    def user_of(self, event: Any) -> str | None:
        """The user whom an event is about; None for an order that nobody knows."""
        owner = self.owners.get(event.order_id)
        return getattr(event, "user_id", None) or (owner.user_id if owner else None)


def decide(item: Item, context: NotificationContext, now: datetime) -> list[PlannedNotification]:
    """Return the notifications that an event causes, one for each contact of its user. No I/O."""
    event: Any = item.body
    user_id, content = context.user_of(event), orjson.loads(event.json_bytes)
    if user_id is None or repeats_its_parent(content):
        return []
    kind, planned = KIND_OF[type(event)], list[PlannedNotification]()
    for contact in context.contacts.get(user_id, ()):
        if contact.medium not in context.notifying.media:
            continue
        about = (item.id, user_id, contact.medium, kind.name, event.order_id, event.json_bytes.decode())
        match decide_when(contact.choice, kind.name, kind.category, now):
            case SkipReason() as reason:
                planned.append(PlannedNotification(*about, NotificationState.SKIPPED, reason, now, now))
            case datetime() as at:
                expires_at = at + context.notifying.expires_after
                wake_at = at if at > now else expires_at
                planned.append(PlannedNotification(*about, NotificationState.PENDING, None, wake_at, expires_at))
    return planned


async def notify_buyers(tx: Transaction, batch: Batch[Event]) -> None:
    """Read every user's contacts once, and store all notifications in one statement."""
    events: list[Any] = [item.body for item in batch]
    owners = await buyer_notifications.owners(tx, {event.order_id for event in events})
    users = {getattr(event, "user_id", None) for event in events} | {owner.user_id for owner in owners.values()}
    found = await contacts.of_users(tx, filter(None, users))
    context = NotificationContext(notifiers.current(), owners, found)
    planned = [(one, item) for item in batch for one in decide(item, context, batch.now)]
    new = await buyer_notifications.insert(tx, [one for one, _ in planned])
    calls: list[outbox.Announcement] = []

    for one, item in planned:
        if one.key not in new:
            continue
        if one.state is NotificationState.SKIPPED:
            note(one.medium, one.kind, f"skipped_{one.reason}")
        elif one.wake_at == one.expires_at:
            calls.append(call(new[one.key], one.medium, because=item))

    await outbox.append(tx, calls)


def call(notification_id: int, medium: str, *, because: Envelope[Any] | None = None) -> outbox.Announcement:
    """Have a notification sent by its medium."""
    body = BuyerNotificationSend(notification_id=notification_id)
    return outbox.to_queue(body, queue=notification_calls_queue(medium), because=because)


async def wake(tx: Transaction) -> None:
    """Send the notifications whose quiet hours have ended, and count those that expired."""
    woken = await buyer_notifications.wake(tx)
    for one in woken:
        if one.state is NotificationState.SKIPPED:
            note(one.medium, one.kind, f"skipped_{SkipReason.EXPIRED}")
    media = notifiers.current().media
    due = [one for one in woken if one.state is NotificationState.PENDING and one.medium in media]
    await outbox.append(tx, [call(one.id, one.medium) for one in due])


ROUTE = Route(queue=BUYER_NOTIFICATIONS, handler=notify_buyers, every=(Every(WAKE_SECONDS, wake),))
