"""Decides how a replay of many dead letters goes on: a few letters first, then all, and it stops by itself.

    the letters                                            then
    -----------------------------------------------------  -------------------------------------------------------
    of the canary are not all sent                         send these, and no others
    of the canary have outcomes, enough of them good       send the rest
    of the canary have no outcomes after its wait          stop: nobody knows whether they work
    since the canary: too few good, of at least a few      stop
    are all sent, and all have outcomes                    finish

A letter is good if its message was handled, now or before. It is bad if it died again or its command was refused.
"""

from dataclasses import dataclass
from enum import StrEnum

JUDGED_MIN_LETTERS = 20  # after the canary, fewer outcomes say nothing about a share


class ReplayStep(StrEnum):
    """What a replay does next."""

    SEND = "send"
    WAIT = "wait"
    STOP = "stop"
    FINISH = "finish"


@dataclass(frozen=True)
class ReplayPlan:
    """How a replay sends. `canary` letters go first and have `canary_wait_seconds` to get outcomes; 0: none.

    `per_order` letters of one order may be under way at once. With `one_try` a letter that fails dies at once.
    """

    rate_per_minute: int
    canary: int
    canary_wait_seconds: int
    success_min_percent: int
    per_order: int
    one_try: bool


@dataclass(frozen=True)
class ReplayCounts:
    """The letters of a replay by what became of them; `judged`, `good` and `bad` count since its canary began."""

    total: int
    unsent: int
    under_way: int
    worked: int
    refused: int
    died_again: int
    handled_before: int
    left_out: int
    judged: int
    good: int
    bad: int

    @property
    def settled(self) -> int:
        """How many have an outcome, so that it can be seen whether anything happens."""
        return self.total - self.unsent - self.under_way


@dataclass(frozen=True)
class ReplayDecision:
    """What comes next, with the most letters to send, or why it stops. `passed`: the canary went well."""

    step: ReplayStep
    letters_max: int = 0
    why: str = ""
    passed: bool = False


def decide_step(plan: ReplayPlan, counts: ReplayCounts, *, passed: bool, waited_seconds: int) -> ReplayDecision:
    """Decide how a replay goes on. `waited_seconds` is the time since a letter was sent or got an outcome."""
    without = counts.judged - counts.good - counts.bad
    if not passed:
        if without and waited_seconds >= plan.canary_wait_seconds:
            why = f"{without} of the first {counts.judged} letters have no outcome after {plan.canary_wait_seconds} s"
            return ReplayDecision(ReplayStep.STOP, why=why)
        if counts.judged < plan.canary and counts.unsent and not _works_too_rarely(plan, counts):
            return ReplayDecision(ReplayStep.SEND, plan.canary - counts.judged)
        if without:
            return ReplayDecision(ReplayStep.WAIT)
    judged_min = JUDGED_MIN_LETTERS if passed else 1
    if counts.good + counts.bad >= judged_min and _works_too_rarely(plan, counts):
        return ReplayDecision(ReplayStep.STOP, why=f"{counts.bad} of {counts.good + counts.bad} letters did not work")
    if counts.unsent:
        return ReplayDecision(ReplayStep.SEND, counts.unsent, passed=True)
    step = ReplayStep.WAIT if counts.under_way else ReplayStep.FINISH
    return ReplayDecision(step, passed=True)


def _works_too_rarely(plan: ReplayPlan, counts: ReplayCounts) -> bool:
    return bool(counts.bad) and counts.good * 100 < plan.success_min_percent * (counts.good + counts.bad)
