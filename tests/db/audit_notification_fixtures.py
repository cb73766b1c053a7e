"""Notifications for the audit's tests: one of each kind, sent, failed, skipped, and one that waits in quiet hours."""

from datetime import timedelta
from typing import Any

import orjson

from messages.base import Event
from messages.buyer_notifications import KINDS, NOTIFIED
from messages.contacts import ContactSet
from messages.media import Medium
from tests.handlers.builders import user
from tests.handlers.harness import HandlerHarness
from workers import notifiers
from workers.handlers import notification_calls
from workers.notifiers import Notifying
from workers.notifiers.port import LetterAccepted, LetterRefused
from workers.runtime.batch import Batch


async def add_notifications(harness: HandlerHarness) -> None:
    """Notify the buyer of the last event of each kind by e-mail, then by SMS, which wait until the morning."""
    notifiers.configure(Notifying([Medium.EMAIL, Medium.SMS]))
    now = await harness.pool.fetchval("SELECT now()")
    begin, until = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 12))
    quiet = {"begin": begin, "until": until, "time_zone": "UTC"}
    await harness.handle(contact(Medium.EMAIL, address="ada@mail.example", opt_outs=["order_created"]))
    await harness.handle(contact(Medium.SMS, address="+441632960000", opt_outs=sorted(KINDS)[1:], quiet_hours=quiet))
    await harness.handle_batch([harness.envelope(last_event(harness, model)) for model in NOTIFIED])
    await harness.relay()
    calls = [harness.envelope(body) for body in harness.notification_calls]
    answers = dict.fromkeys((item.id for item in calls), LetterAccepted()) | {calls[0].id: LetterRefused("SMTP_550")}
    async with harness.pool.acquire() as tx, tx.transaction():
        await notification_calls.take_answers(tx, Batch(calls, now, answers))
    await harness.relay()
    notifiers.configure(Notifying())


def contact(medium: Medium, **changes: Any) -> ContactSet:
    about = {"request_id": f"by {medium}", "actor": user().model_dump(), "user_id": "u1", "medium": medium}
    return ContactSet.model_validate_json(orjson.dumps(about | changes))


def last_event(harness: HandlerHarness, model: type[Event]) -> Event:
    """The last event of this kind that is about a whole order of the buyer u1."""
    event = [
        one
        for one in harness.events_of(model.routing_key())
        if one.get("user_id", "u1") == "u1" and one.get("parent_id") is None
    ][-1]
    return model.model_validate_json(orjson.dumps({name: event.get(name) for name in model.model_fields}))
