"""One authorised payment in memory: the order's side as the handlers change it, and the provider's side.

`moves` returns every next situation: the order wants less, its goods leave, a call is made, an answer comes or is lost,
the provider acts by itself. `drained` makes and answers all calls, and polls, until nothing more happens.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from workers.domain.payment_authorizations import (
    ENDED,
    AuthorizationReport,
    AuthorizationState,
    PaymentAuthorization,
    ProviderStep,
    apply_report,
    capture_now,
    void_unwanted,
)
from workers.domain.payment_rules import PaymentVerdict

NOW = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
AMOUNT, SHORT = 1000, 300
A = AuthorizationState
Call = tuple[str, int, int]
"""(step, number of the capture, amount)"""


@dataclass(frozen=True)
class TheirSide:
    """What the provider has done. `done` is capture number -> whether it was taken; the same number is done once."""

    state: str = "open"
    captured: int = 0
    done: tuple[tuple[int, bool], ...] = ()


@dataclass(frozen=True)
class Situation:
    """Both sides, the calls and answers on their way, and what may still happen.

    `parts` are (amount, released, deferred or refunded). `kept` is the capture that the order keeps, `stray` what is
    refunded as a whole. `stopped` says that the goods were held.
    """

    ours: PaymentAuthorization
    theirs: TheirSide = TheirSide()
    parts: tuple[tuple[int, str], ...] = ()
    calls: frozenset[Call] = frozenset()
    answers: frozenset[AuthorizationReport] = frozenset()
    kept: int = 0
    stray: int = 0
    stopped: bool = False
    cancelled: bool = False
    gone: bool = False
    luck: int = 2

    @property
    def current(self) -> PaymentAuthorization:
        """The authorisation as a handler reads it."""
        return replace(self.ours, released=sum(amount for amount, state in self.parts if state != "refunded"))

    @property
    def net(self) -> int:
        """What the shop has in the end."""
        return self.kept - sum(amount for amount, state in self.parts if state == "refunded")


def new() -> Situation:
    """An authorisation that the order keeps."""
    about = {"authorized_at": NOW, "expire_at": NOW + timedelta(days=29), "verdict": PaymentVerdict.KEPT}
    return Situation(PaymentAuthorization(1, 1, "paypal", "a1", AMOUNT, "USD", state=A.AUTHORIZED, **about))  # type: ignore[arg-type]


# our side


def want_less(one: Situation, amount: int) -> Situation:
    """Release a part, or refund it if the money is captured; void what nothing is wanted of any more."""
    if one.ours.state is A.CAPTURED:
        back = min(amount, one.net)
        return replace(one, parts=(*one.parts, (back, "refunded"))) if back else one
    state = "deferred" if one.ours.state is A.CAPTURING else "released"
    after = replace(one, parts=(*one.parts, (amount, state)))
    voiding = void_unwanted(after.current)
    return request(replace(after, ours=voiding), ProviderStep.VOID) if voiding else after


def ship(one: Situation) -> Situation:
    """The goods leave: their money is captured."""
    capturing = capture_now(one.current)
    after = replace(one, gone=True)
    return request(replace(after, ours=capturing), ProviderStep.CAPTURE) if capturing else after


def request(one: Situation, step: ProviderStep) -> Situation:
    call = (step.value, one.ours.captures, one.ours.capture_amount or 0)
    return replace(one, calls=one.calls | {call})


def take(one: Situation, report: AuthorizationReport) -> Situation:
    """Apply a report as handlers/payment_authorizations.py does."""
    change = apply_report(one.current, report, NOW)
    if change is None:
        return one
    after, parts = replace(one, ours=change.after), one.parts
    if change.verdict is PaymentVerdict.KEPT:
        taken = {"deferred": "refunded", "released": "refunded" if change.gives_back else "released"}
        after = replace(after, kept=report.amount, parts=tuple((n, taken.get(state, state)) for n, state in parts))
    elif change.verdict is not None:
        after = replace(after, stray=report.amount)
    if change.verdict is not PaymentVerdict.KEPT and one.ours.state is A.CAPTURING is not change.after.state:
        after = replace(after, parts=tuple((n, "released" if state == "deferred" else state) for n, state in parts))
    if change.stops_goods:
        after = replace(after, stopped=True)
    return request(after, change.step) if change.step else after


# their side


def answers_of(theirs: TheirSide, call: Call, *, declines: bool) -> tuple[TheirSide, AuthorizationReport | None]:
    """What the provider does about a call, and what it answers."""
    step, number, amount = call
    known = dict(theirs.done)
    if step == "capture" and number not in known and theirs.state == "open":
        theirs = replace(theirs, done=(*theirs.done, (number, not declines)))
        if not declines:
            theirs = replace(theirs, state="captured", captured=amount)
    if step == "void" and theirs.state == "open":
        theirs = replace(theirs, state="voided")
    known = dict(theirs.done)
    if step == "capture" and known.get(number) is False:
        return theirs, AuthorizationReport("failed", f"c{number}", amount, "USD", capture=number)
    return theirs, seen(theirs) if step == "query" or theirs.state != "open" else None


def seen(theirs: TheirSide) -> AuthorizationReport:
    """What a query shows."""
    declined = [number for number, taken in theirs.done if not taken]
    if theirs.state == "captured":
        return AuthorizationReport("captured", "taken", theirs.captured, "USD")
    if theirs.state == "open" and declined:
        return AuthorizationReport("failed", f"c{declined[-1]}", AMOUNT, "USD", capture=declined[-1])
    return AuthorizationReport("authorized" if theirs.state == "open" else "voided", "a1", AMOUNT, "USD")


# everything that may happen


def moves(one: Situation) -> Iterator[Situation]:
    """Every next situation. Faults and the provider's own doings are limited by `luck`."""
    if not one.cancelled and one.ours.left and not any(amount == SHORT for amount, _ in one.parts):
        yield want_less(one, SHORT)
    if not (one.cancelled or one.gone) and (left := one.net if one.kept else one.current.left):
        yield replace(want_less(one, left), cancelled=True)
    if not (one.cancelled or one.gone or one.stopped):
        yield ship(one)
    if one.ours.state is A.FAILED and (again := capture_now(one.current)):
        yield request(replace(one, ours=again), ProviderStep.CAPTURE)  # an operator tries again
    if one.ours.state in (A.CAPTURING, A.VOIDING):
        yield request(one, ProviderStep.QUERY)  # the timer polls
    for call in one.calls:
        yield from made(one, call)
    for report in one.answers:
        yield take(replace(one, answers=one.answers - {report}), report)
        if one.luck:
            yield replace(one, answers=one.answers - {report}, luck=one.luck - 1)
    if one.theirs.state == "open" and one.luck:
        yield replace(one, luck=one.luck - 1, theirs=replace(one.theirs, state="captured", captured=AMOUNT))
        yield replace(one, luck=one.luck - 1, theirs=replace(one.theirs, state="voided"))


def made(one: Situation, call: Call, *, lucky: bool = False) -> Iterator[Situation]:
    """The situations after a call was made: done, or declined."""
    for declines in (False, True) if one.luck and call[0] == "capture" and not lucky else (False,):
        theirs, report = answers_of(one.theirs, call, declines=declines)
        answers = one.answers | ({report} if report else set())
        luck = one.luck - declines
        yield replace(one, theirs=theirs, calls=one.calls - {call}, answers=answers, luck=luck)


@cache
def drained(one: Situation) -> Situation:
    """The situation after every call was made and answered, and what is open was polled."""
    for _ in range(50):
        if one.calls:
            one = next(made(one, min(one.calls), lucky=True))
        elif one.answers:
            report = min(one.answers, key=repr)
            one = take(replace(one, answers=one.answers - {report}), report)
        elif one.ours.state not in ENDED and seen_makes_a_difference(one):
            one = take(one, seen(one.theirs))
        else:
            return one
    raise AssertionError(f"it never ends: {one}")


def seen_makes_a_difference(one: Situation) -> bool:
    """True if a poll would change something."""
    return apply_report(one.current, seen(one.theirs), NOW) is not None
