"""What on-call engineers did to timers, to messages in the outbox and to consumers, and why."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from db.pool import Transaction
from db.statements import SQL


class Intervention(StrEnum):
    """What a person can do beside the messages. The database allows no other."""

    FIRE_TIMER = "timer.fire"
    CANCEL_TIMER = "timer.cancel"
    HOLD_MESSAGE = "outbox.hold"
    RETRY_MESSAGE = "outbox.retry"
    PAUSE_CONSUMER = "consumer.pause"
    RESUME_CONSUMER = "consumer.resume"


async def record(tx: Transaction, what: Intervention, subjects: Iterable[str], note: str, reason: str) -> None:
    """Record what was done to each subject, under the user of the session. `note` is who was at the terminal."""
    await tx.execute(SQL["interventions.record"], what, list(subjects), note, reason)


async def recorded(tx: Transaction, since: datetime | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest records first."""
    return [dict(row) for row in await tx.fetch(SQL["interventions.list"], since, limit)]
