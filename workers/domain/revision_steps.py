"""Bounds the steps of revisions, so that one mistake does not use up all of them."""

from workers.domain.codes import Code
from workers.domain.refusal import Refusal

REVISION_STEP_MAX = 10**17
"""The most that one message may raise a revision by: three years of a clock in nanoseconds, more of slower ones."""


def too_far(revision: int, have: int) -> Refusal | None:
    """Reject a revision that is so far above the stored one that it must be a mistake. A first one has no bound."""
    if not have or revision - have <= REVISION_STEP_MAX:
        return None
    details = {"field": "revision", "current_revision": have, "max": have + REVISION_STEP_MAX}
    why = f"a revision is at most {REVISION_STEP_MAX} above the stored one, {have}; revision.reset sets that one"
    return Refusal(Code.CATALOGUE_REVISION_STEP, why, details)
