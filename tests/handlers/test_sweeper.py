"""The sweeper looks at recent timers each second, and at all of them now and then and while many are due."""

import pytest

from tests.handlers.harness import HandlerHarness
from workers.handlers.timeouts import Sweeper
from workers.store import timers

START = """INSERT INTO timers (kind, key, due_at, wake_at)
SELECT 'saga', $1::bigint + n, now(), now() - make_interval(secs => $2::float8) FROM generate_series(1, $3) n"""
HOUR_SECONDS = 3600.0


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def woken(harness: HandlerHarness, sweeper: Sweeper) -> int:
    """Sweep once; return how many timers were woken."""
    async with harness.pool.acquire() as tx, tx.transaction():
        await sweeper(tx)
    return int(
        await harness.pool.fetchval("WITH w AS (DELETE FROM timers WHERE wakes > 0 RETURNING 1) SELECT count(*) FROM w")
    )


async def test_recent_timers_are_woken_at_every_look_and_older_ones_at_the_next_look_at_all(
    harness: HandlerHarness,
) -> None:
    clock = Clock()
    sweeper = Sweeper(clock)
    await harness.pool.execute(START, 0, HOUR_SECONDS, 1)
    assert await woken(harness, sweeper) == 1, "a process begins with a look at all"
    await harness.pool.execute(START, 10, HOUR_SECONDS, 1)
    await harness.pool.execute(START, 20, 0.0, 1)
    assert await woken(harness, sweeper) == 1
    clock.now = timers.WHOLE_LOOK_SECONDS
    assert await woken(harness, sweeper) == 1


async def test_after_an_outage_every_look_is_at_all_until_none_is_left(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "SWEEP_MAX_TIMERS", 3)
    await harness.pool.execute(START, 0, HOUR_SECONDS, 7)
    sweeper = Sweeper(Clock())
    assert [await woken(harness, sweeper) for _ in range(4)] == [3, 3, 1, 0]


def test_no_timer_becomes_too_old_between_two_looks_at_all() -> None:
    assert timers.WHOLE_LOOK_SECONDS * 2 < timers.RECENT_SECONDS
