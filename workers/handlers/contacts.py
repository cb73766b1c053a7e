"""Handles contact.set, with which a buyer says where and how to be notified.

    contact.set is                                 then
    ---------------------------------------------  -----------------------------------------------------------------
    with an address                                the contact is kept, the address encrypted: contact.changed
    without an address                             the contact is removed: contact.changed
    with an address that the medium cannot have,   command.rejected: CONTACT_INVALID
    an unknown opt-out or time zone
    for another user                               command.rejected: AUTH_FORBIDDEN

A user who has no data key gets one, under the user's lock.
"""

from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.buyer_notifications import KINDS, NotificationCategory
from messages.contacts import ContactChanged, ContactSet
from messages.envelope import Envelope
from workers.domain.buyer_notifications import unknown_zone, wrong_address, wrong_opt_outs
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import commands
from workers.store import buyers, contacts

Item: TypeAlias = Envelope[ContactSet]
OPT_OUTS = {*KINDS, *NotificationCategory}


def decide(body: ContactSet) -> Refusal | None:
    """Return why the contact is rejected, or None. No I/O."""
    if body.address is None:
        return None
    return (
        wrong_address(body.medium, body.address)
        or wrong_opt_outs(body.opt_outs, OPT_OUTS)
        or (unknown_zone(body.quiet_hours.time_zone) if body.quiet_hours else None)
    )


async def set_contacts(tx: Transaction, batch: Batch[ContactSet]) -> None:
    """Lock every user once. If a batch sets a contact twice, the last one counts."""
    claims = await commands.claim(tx, batch)
    users = {item.body.user_id for item in claims.fresh}
    await buyers.lock(tx, users)
    known = await buyers.read(tx, users, since=batch.now, orders_max=0)
    outcomes: commands.Outcomes = {}
    wanted: dict[contacts.ContactKey, ContactSet] = {}

    for item in claims.fresh:
        body = item.body
        refusal = decide(body)
        if refusal is not None:
            outcomes[commands.key_of(item)] = commands.rejected(item, refusal), item
            continue
        wanted[body.user_id, body.medium] = body
        outcomes[commands.key_of(item)] = changed(body), item

    await contacts.save(tx, wanted, {user_id: user.key for user_id, user in known.items()})
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *answers, *claims.answers])


def changed(body: ContactSet) -> ContactChanged:
    """Build contact.changed, without the address."""
    removed = body.address is None
    enabled = body.enabled and not removed
    return ContactChanged(user_id=body.user_id, medium=body.medium, removed=removed, enabled=enabled)


ROUTE = Route(queue="contacts", handler=set_contacts)
