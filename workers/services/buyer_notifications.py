"""Reads what a notification needs, decides whether it is still wanted, renders it and sends it.

This runs before the handler's transaction; no transaction is open during the calls. The address is decrypted as the
letter is built, and is in nothing else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, TypeAlias

from prometheus_client import Counter

import outbox
from db import cipher
from db.pool import Transaction
from messages.buyer_notifications import KINDS, BuyerNotificationSend
from messages.envelope import Envelope
from workers import notifiers
from workers.domain.buyer_notifications import SkipReason, decide, languages
from workers.notifiers.port import BuyerLetter, LetterAnswer, LetterSender
from workers.notifiers.templates import TemplateFault
from workers.providers.calls import ProviderAwayError
from workers.providers.port import UnknownOutcome
from workers.store import buyer_notifications, contacts
from workers.store.buyer_notifications import NotificationState, OwnedOrder, TrackedParcel, WaitingNotification
from workers.store.contacts import StoredContact
from workers.telemetry import lines

Item: TypeAlias = Envelope[BuyerNotificationSend]
NotificationAnswer: TypeAlias = LetterAnswer | SkipReason | TemplateFault | datetime
"""What the server answered; or why nothing was sent; or until when the user wants quiet."""
NOTIFIED = Counter(
    "oms_notifications_total",
    "Notifications to buyers by outcome: sent, failed, retried, or skipped and why",
    ["medium", "kind", "outcome"],
)


def prepare_counts(medium: str) -> None:
    """Make the counters of what fails exist from the start: an alert sees the first one only if it is an increase."""
    for kind in KINDS:
        NOTIFIED.labels(medium, kind, "failed")


def note(medium: str, kind: str, outcome: str) -> None:
    """Count a notification once its transaction has committed."""
    outbox.once_committed(NOTIFIED.labels(medium, kind, outcome).inc)


@dataclass(frozen=True)
class LetterRequest:
    """What one letter is made of."""

    item_id: str
    notification: WaitingNotification
    contact: StoredContact
    values: Mapping[str, Any]


@dataclass(frozen=True)
class LetterRequests:
    """The letters of one batch, and what is decided without sending one: item id -> answer."""

    sender: LetterSender
    letters: Sequence[LetterRequest]
    decided: Mapping[str, NotificationAnswer]


async def prepare(tx: Transaction, items: Sequence[Item], *, medium: str) -> LetterRequests:
    """Read what the letters need, one statement per table. Items that need none are left out.

    Raises ProviderAwayError if this process does not send by the medium; another worker will take the message.
    """
    sender = notifiers.current().senders.get(medium)
    if sender is None:
        raise ProviderAwayError(f"this process does not send by {medium}")
    found = await buyer_notifications.read(tx, [item.body.notification_id for item in items])
    of_users = await contacts.of_users(tx, {one.user_id for one in found.values()})
    order_ids = {one.order_id for one in found.values()}
    owners, parcels = await buyer_notifications.owners(tx, order_ids), await buyer_notifications.parcels(tx, order_ids)
    letters: list[LetterRequest] = []
    decided: dict[str, NotificationAnswer] = {}
    for item in items:
        one = found.get(item.body.notification_id)
        if one is None or one.state not in (NotificationState.PENDING, NotificationState.FAILED):
            continue
        contact = next((c for c in of_users.get(one.user_id, ()) if c.medium == medium), None)
        answer = still_wanted(one, contact)
        if answer is not None:
            decided[item.id] = answer
        elif contact is not None:
            values = values_of(one, owners.get(one.order_id), parcels.get(one.order_id, ()))
            letters.append(LetterRequest(item.id, one, contact, values))
    return LetterRequests(sender, letters, decided)


def still_wanted(one: WaitingNotification, contact: StoredContact | None) -> SkipReason | datetime | None:
    """Return why this notification is not sent now, or None. Its user may have changed the contact meanwhile."""
    if one.erased:
        return SkipReason.ERASED
    if one.expires_at <= one.now:
        return SkipReason.EXPIRED
    choice = contact.choice if contact else None
    answer = decide(choice, one.kind, KINDS[one.kind].category if one.kind in KINDS else "", one.now)
    if isinstance(answer, datetime) and answer >= one.expires_at:
        return SkipReason.EXPIRED  # the quiet hours that began meanwhile end too late
    return None if answer == one.now else answer


def values_of(
    one: WaitingNotification, owner: OwnedOrder | None, parcels: Sequence[TrackedParcel]
) -> Mapping[str, Any]:
    """Return what a template sees: the fields of the event, the order's number and its parcels."""
    order_no = one.content.get("order_no") or (owner.order_no if owner else None) or str(one.order_id)
    return {**one.content, "order_no": order_no, "parcels": [parcel._asdict() for parcel in parcels]}


def idempotency_key(one: WaitingNotification) -> str:
    """Return the key of a letter: the same event, user and medium are the same letter."""
    return blake2b("\n".join((one.cause, one.user_id, one.medium)).encode(), digest_size=16).hexdigest()


async def send(batch: LetterRequests) -> Mapping[str, NotificationAnswer]:
    """Send the letters side by side: item id -> answer. Raises ProviderAwayError if the server took none of them."""
    answers = await asyncio.gather(*(send_one(batch.sender, request) for request in batch.letters))
    away = next((answer for answer in answers if isinstance(answer, ProviderAwayError)), None)
    if away is not None and all(isinstance(answer, ProviderAwayError) for answer in answers):
        raise away
    return dict(batch.decided) | {
        request.item_id: UnknownOutcome("away") if isinstance(answer, ProviderAwayError) else answer
        for request, answer in zip(batch.letters, answers, strict=True)
    }


async def send_one(sender: LetterSender, request: LetterRequest) -> NotificationAnswer | ProviderAwayError:
    """Render and send one letter. That a server is away is returned: others of the batch may have been sent."""
    one, contact, notifying = request.notification, request.contact, notifiers.current()
    wanted = languages(contact.language, notifying.language)
    texts = notifying.templates.render(one.kind, wanted, request.values)
    if isinstance(texts, TemplateFault):
        return texts
    try:
        address = contact.address()
    except cipher.ErasedError:
        return SkipReason.ERASED
    about = {"idempotency_key": idempotency_key(one), "kind": one.kind, "order_id": str(one.order_id)}
    try:
        with lines.about(request.item_id):
            return await sender.send(BuyerLetter(**about, address=address, **vars(texts)))
    except ProviderAwayError as error:
        return error
