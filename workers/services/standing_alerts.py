"""Alerts of things that stay until someone acts: what waits too long, and dead letters. It is a chore of `timeouts`.

    there is                                then alert.raised
    --------------------------------------  ------------------------------------------------------------------
    something that waits too long           one for each thing that is awaited, with how many wait for it and the
                                            oldest orders; its code says whether it is about money, stock, orders ...
    a dead letter that came since the last  DEAD_LETTERS_NEW, with how many came to which queue
    one that nobody decided about for long  DEAD_LETTERS_OLD

workers/domain/standing_alerts.py says when. Of several workers one looks each minute, and the table standing_alerts
says to the next one what was raised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import outbox
from db.pool import Transaction
from messages.base import AlertRaised, MessageCode
from workers import shop
from workers.domain.standing_alerts import LastAlert, Tally, Watch, after, is_due
from workers.services.list_pages import LONG_AGO, OLDEST
from workers.store import stuck_waits
from workers.store.stuck_waits import FoundWaits, StuckPage, WaitingLetters
from workers.views.awaits import Awaits
from workers.views.wait_limits import LIMITS, limit_seconds

RUN_SECONDS = 60.0  # far below every limit
TURN_SECONDS = 50.0  # a worker looks again after 54 to 66 seconds
EXAMPLES = 3
NEW_LETTERS, OLD_LETTERS = "dead_letters_new", "dead_letters_old"
UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Concern:
    """A kind of things of which people may have to know, and the alert that says so; None if there is nothing."""

    name: str
    tally: Tally
    alert: AlertRaised | None


async def raise_alerts(tx: Transaction) -> None:
    """Raise an alert for each kind of things of which people have to know now."""
    now = await stuck_waits.take_turn(tx, TURN_SECONDS)
    if now is None:
        return
    watch, last = shop.current().watch, await stuck_waits.raised(tx)
    alerts, changed = decide(await concerns(tx, last, watch), last, now, watch)
    await stuck_waits.save_raised(tx, changed)
    await outbox.append(tx, [outbox.event(alert, because=None) for alert in alerts])


def decide(
    found: Sequence[Concern], last: Mapping[str, LastAlert], now: datetime, watch: Watch
) -> tuple[list[AlertRaised], dict[str, LastAlert]]:
    """Return the alerts to raise now, and what to remember of each kind. No I/O."""
    alerts, changed = list[AlertRaised](), dict[str, LastAlert]()
    for one in found:
        before = last.get(one.name)
        due = is_due(one.tally, before, now, watch)
        if due and one.alert is not None:
            alerts.append(one.alert)
        if (standing := after(one.tally, before, now, raised=due)) is not None:
            changed[one.name] = standing
    return alerts, changed


async def concerns(tx: Transaction, last: Mapping[str, LastAlert], watch: Watch) -> list[Concern]:
    """Return what there is of each kind, with a fixed number of statements."""
    limits = {what: limit_seconds(what, watch.stuck_after_seconds) for what in LIMITS}
    pages = [
        StuckPage({what: seconds}, OLDEST, EXAMPLES, {what: _raised_at(last, what) - timedelta(seconds=seconds)})
        for what, seconds in limits.items()
    ]
    found = [
        stuck(what, limits[what], waits) for what, waits in zip(limits, await stuck_waits.find(tx, pages), strict=True)
    ]
    old_seconds = watch.dead_letters_old_seconds
    known = _raised_at(last, NEW_LETTERS), _raised_at(last, OLD_LETTERS)
    letters = await stuck_waits.open_letters(tx, old_seconds, *known)
    return [*found, new_letters(letters), old_letters(letters, old_seconds)]


def _raised_at(last: Mapping[str, LastAlert], name: str) -> datetime:
    return last[name].raised_at if name in last else LONG_AGO


def stuck(what: Awaits, seconds: int, found: FoundWaits) -> Concern:
    """Return what waits for the same longer than these seconds. Its alert names the oldest orders."""
    total = found.totals.get(what)
    if total is None:
        return Concern(what, Tally(0, 0), None)
    oldest = ", ".join(f"order {row.order_id} since {row.since:%Y-%m-%d %H:%M}Z" for row in found.rows)
    from_timer = LIMITS[what].from_timer
    too_long = f"{_length(seconds)} after its timer" if from_timer else f"longer than {_length(seconds)}"
    content = (
        f"{total.count} waiting for {what} {too_long}, {total.fresh} of them new; the oldest: "
        f"{oldest}. Type: oms stuck --kind {what}"
    )
    only = found.rows[0].order_id if total.count == 1 else None
    alert = AlertRaised.of(title=f"stuck: {what}", content=content, code=LIMITS[what].code, order_id=only)
    return Concern(what, Tally(total.count, total.fresh), alert)


def new_letters(letters: Sequence[WaitingLetters]) -> Concern:
    """Return the dead letters that wait for a decision; its alert says how many came to which queue."""
    count = sum(one.count for one in letters)
    queues = ", ".join(f"{one.queue} {one.fresh}" for one in letters if one.fresh)
    content = f"new dead letters: {queues or 'some'}; {count} wait for a decision. Type: oms dead-letters list"
    alert = AlertRaised.of(title="dead letters", content=content, code=MessageCode.DEAD_LETTERS_NEW)
    return Concern(NEW_LETTERS, Tally(count, sum(one.fresh for one in letters), repeats=False), alert)


def old_letters(letters: Sequence[WaitingLetters], old_seconds: int) -> Concern:
    """Return the dead letters about which nobody decides; its alert says how many lie in which queue."""
    queues = ", ".join(f"{one.queue} {one.old}" for one in letters if one.old)
    content = f"no decision for longer than {_length(old_seconds)}: {queues}. Type: oms dead-letters list"
    alert = AlertRaised.of(title="old dead letters", content=content, code=MessageCode.DEAD_LETTERS_OLD)
    return Concern(OLD_LETTERS, Tally(sum(one.old for one in letters), sum(one.aged for one in letters)), alert)


def _length(seconds: int) -> str:
    """Write a duration in the largest unit that it is whole in."""
    size, unit = next((size, unit) for size, unit in UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}"
