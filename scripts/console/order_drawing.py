"""What the page of an order draws: how long it was in each state, what it waits for, and what happened to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import sqrt

from messages.explanations import AwaitedShown
from scripts.screens.order_loading import OrderPage
from scripts.screens.state_meanings import awaited_text
from scripts.screens.timeline import Happening, happenings

DRAWN_WIDTH = 1000
NARROWEST_WIDTH = 14
ENDED = frozenset({"completed", "cancelled", "rejected", "split"})
KINDS = (
    ("step", ()),
    ("bad", ("dead letter",)),
    ("money", ("attempt to pay", "payment", "refund", "dispute")),
    ("goods", ("warehouse", "waybill", "parcel")),
)
"""Kind of a happening, which is its mark -> how its text begins."""


@dataclass(frozen=True)
class StateStretch:
    """A time for which the order was in one state. `x` and `width` say where it is drawn, of 1000."""

    state: str
    began: datetime
    seconds: float
    lasts: bool
    x: int
    width: int


@dataclass(frozen=True)
class TimelineMark:
    """One happening as it is drawn: its kind, and the seconds since the one before."""

    happening: Happening
    kind: str
    after_seconds: float | None


@dataclass(frozen=True)
class AwaitedCard:
    """One thing that the order waits for. `state` is that of the order, child or case which waits; `passed` is the part
    of its time that is over, in percent.
    """

    awaited: AwaitedShown
    state: str
    text: str
    whose: str
    passed: int | None


def stretches_of(page: OrderPage) -> list[StateStretch]:
    """Return the states of the order one after the other. The longer it was in one, the wider: by the square root."""
    steps = page.steps[page.order.order_id]
    changes = [(step.at, step.state) for step in steps if step.state != step.previous]
    if not changes:
        return []
    lasts = page.order.state not in ENDED
    ends = [at for at, _ in changes[1:]] + [page.now if lasts else changes[-1][0]]
    seconds = [max((end - at).total_seconds(), 0.0) for (at, _), end in zip(changes, ends, strict=True)]
    widths = widths_of(seconds)
    places = [sum(widths[:number]) for number in range(len(widths))]
    return [
        StateStretch(state, at, took, lasts and number == len(changes) - 1, x, width)
        for number, ((at, state), took, x, width) in enumerate(zip(changes, seconds, places, widths, strict=True))
    ]


def widths_of(seconds: Sequence[float]) -> list[int]:
    """Return how wide each stretch is drawn: none so narrow that it is not seen, all together as wide as the page."""
    roots = [sqrt(one) for one in seconds]
    free = max(DRAWN_WIDTH - NARROWEST_WIDTH * len(roots), 0)
    return [NARROWEST_WIDTH + int(free * root / (sum(roots) or 1.0)) for root in roots]


def marks_of(page: OrderPage) -> list[TimelineMark]:
    """Return everything that happened, the oldest first."""
    found = happenings(page)
    gaps: Iterator[float | None] = iter(
        [None, *((later.at - one.at).total_seconds() for one, later in pairwise(found))]
    )
    return [TimelineMark(one, _kind(one), gap) for one, gap in zip(found, gaps, strict=False)]


def _kind(one: Happening) -> str:
    if one.state is not None:
        return "step"
    return next((kind for kind, starts in KINDS if one.what.startswith(starts or ("\0",))), "note")


def awaited_cards(page: OrderPage) -> list[AwaitedCard]:
    """Return what the order waits for, each with how much of its time is over."""
    children = {child["id"]: child["state"] for child in page.children}
    cases = {case.case_no: case.state for case in page.order.cases}
    return [
        AwaitedCard(
            one,
            cases.get(one.case_no or "") or children.get(one.order_id, page.order.state),
            awaited_text(one),
            page.names.get(one.order_id, ""),
            _passed(one, page.now),
        )
        for one in page.explained.awaits
    ]


def _passed(one: AwaitedShown, now: datetime) -> int | None:
    if one.since is None or one.until is None or one.until <= one.since:
        return None
    part = (now - one.since) / (one.until - one.since)
    return min(100, max(0, int(part * 100)))
