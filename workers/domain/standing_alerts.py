"""When people are alerted of things that stay as they are until someone acts: stuck ones, and dead letters.

All things of one kind share an alert, so that an outage raises one alert and not a thousand. Each thing is in one soon
after it came, and in another one each time that it has stayed for so long again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Watch:
    """What counts as stuck or old, in seconds, and how often people are alerted of it.

    `stuck_after_seconds` has limits that differ from those of workers/views/wait_limits.py. New things of a kind raise
    an alert, but not before `standing_alert_pause_seconds` have passed since the last one; what stays raises one again
    after `standing_alert_again_seconds`.
    """

    stuck_after_seconds: Mapping[str, int] = field(default_factory=dict)
    dead_letters_old_seconds: int = 86_400
    standing_alert_pause_seconds: int = 600
    standing_alert_again_seconds: int = 86_400


@dataclass(frozen=True)
class LastAlert:
    """When the last alert of a kind was raised, and how many things of it were left then or since."""

    raised_at: datetime
    count: int


@dataclass(frozen=True)
class Tally:
    """How many things of a kind there are now, and how many of them came after the last alert.

    Without `repeats`, what stays raises no alert again.
    """

    count: int
    fresh: int
    repeats: bool = True


def is_due(now_there: Tally, last: LastAlert | None, now: datetime, watch: Watch) -> bool:
    """Tell whether to raise an alert now.

    More things than before are news, too: one that becomes known late may be older than the last alert.
    """
    if not now_there.count:
        return False
    if last is None:
        return True
    age = now - last.raised_at
    if now_there.fresh or now_there.count > last.count:
        return age >= timedelta(seconds=watch.standing_alert_pause_seconds)
    return now_there.repeats and age >= timedelta(seconds=watch.standing_alert_again_seconds)


def after(now_there: Tally, last: LastAlert | None, now: datetime, *, raised: bool) -> LastAlert | None:
    """Return what to remember: of an alert that was `raised` now, or of things that have gone; None if it is known."""
    if raised:
        return LastAlert(now, now_there.count)
    if last is not None and now_there.count < last.count:
        return LastAlert(last.raised_at, now_there.count)
    return None
