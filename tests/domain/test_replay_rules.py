"""A replay sends a few letters first, and stops by itself when too few of them work."""

from dataclasses import replace

from workers.domain.replay_rules import ReplayCounts, ReplayPlan, ReplayStep, decide_step

PLAN = ReplayPlan(
    rate_per_minute=60, canary=5, canary_wait_seconds=30, success_min_percent=95, per_order=1, one_try=False
)
NEW = ReplayCounts(100, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0)

RULES = [
    ("nothing sent", {}, False, 0, ReplayStep.SEND, 5),
    ("three of the canary sent", {"unsent": 97, "under_way": 3, "judged": 3}, False, 0, ReplayStep.SEND, 2),
    ("the canary waits", {"unsent": 95, "under_way": 2, "judged": 5, "good": 3}, False, 29, ReplayStep.WAIT, 0),
    ("the canary waited too long", {"unsent": 95, "judged": 5, "good": 3}, False, 30, ReplayStep.STOP, 0),
    ("one of the canary is bad", {"unsent": 95, "judged": 5, "good": 4, "bad": 1}, False, 0, ReplayStep.STOP, 0),
    ("one hangs", {"unsent": 98, "under_way": 1, "judged": 2, "good": 1}, False, 30, ReplayStep.STOP, 0),
    ("the first is bad", {"unsent": 99, "judged": 1, "bad": 1}, False, 0, ReplayStep.STOP, 0),
    ("the canary is good", {"unsent": 95, "judged": 5, "good": 5}, False, 0, ReplayStep.SEND, 95),
    ("one of few is bad", {"unsent": 90, "judged": 10, "good": 9, "bad": 1}, True, 0, ReplayStep.SEND, 90),
    ("two of twenty are bad", {"unsent": 80, "judged": 20, "good": 18, "bad": 2}, True, 0, ReplayStep.STOP, 0),
    ("one of twenty is bad", {"unsent": 80, "judged": 20, "good": 19, "bad": 1}, True, 0, ReplayStep.SEND, 80),
    ("all sent", {"unsent": 0, "under_way": 1, "judged": 100, "good": 99}, True, 10**9, ReplayStep.WAIT, 0),
    ("all settled", {"unsent": 0, "judged": 100, "good": 99, "bad": 1}, True, 0, ReplayStep.FINISH, 0),
]


def test_the_next_step_follows_from_the_outcomes() -> None:
    for what, changes, passed, waited, step, letters in RULES:
        found = decide_step(PLAN, replace(NEW, **changes), passed=passed, waited_seconds=waited)
        assert (found.step, found.letters_max) == (step, letters), what
        assert bool(found.why) is (step is ReplayStep.STOP), what
