"""Money that a provider reserves for an order until it is captured or voided: what each report of it changes.

    state       the provider reports  then
    ----------  --------------------  -----------------------------------------------------------------------------
    authorized  voided                voided; the goods stop
    capturing   authorized            captured again, under the same number
    capturing   failed                failed, and the goods stop; if nothing of it is wanted any more, voiding
    capturing   voided                voided; the goods stop
    failed      voided                voided
    voiding     authorized, failed    voided again
    voiding     voided                voided
    authorized  not renewed           looked at again when the next promise would end
    captured    anything              nothing
    any other   captured              captured; what of it is not wanted goes back as refunds

A part that is not wanted any more, because units were short or cancelled, is released: it is never captured. One that
is not wanted while a capture is under way is deferred: it is refunded if that capture succeeds, otherwise released.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from workers.domain.payment_rules import PaymentVerdict

RENEWED_BEFORE_END = timedelta(days=1)
"""An authorisation is looked at this long before it ends, or a quarter of its life if that is shorter."""


class AuthorizationState(StrEnum):
    """The state of an authorisation. A failed capture leaves it to be captured again, or voided."""

    AUTHORIZED = "authorized"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDING = "voiding"
    VOIDED = "voided"


OPEN = frozenset({AuthorizationState.AUTHORIZED, AuthorizationState.FAILED})
"""The states in which we request nothing of the provider, and what is not wanted any more is released at once."""
ENDED = frozenset({AuthorizationState.CAPTURED, AuthorizationState.VOIDED})
"""The states that only the provider's own doing can change."""
A = AuthorizationState


class ProviderStep(StrEnum):
    """What we request of the provider next."""

    CAPTURE = "capture"
    VOID = "void"
    RENEW = "renew"
    QUERY = "query"


@dataclass(frozen=True)
class PaymentAuthorization:
    """One authorisation. Amounts are minor units of `currency`.

    `released` of `amount` is not wanted any more, deferred parts included. `capture_amount` is what the last capture
    asks for, and `captures` how many were requested. `trade_no` is the last capture that the provider reported. A
    verdict other than `kept` means that the order does not want the money at all. `renewed_at` is when its provider was
    last requested to renew it. `not_taken_at` is when wanted money could last not be taken; None once it is captured.
    """

    attempt_id: int
    order_id: int
    provider: str
    authorization_no: str
    amount: int
    currency: str
    verdict: PaymentVerdict
    state: AuthorizationState
    authorized_at: datetime
    expire_at: datetime
    released: int = 0
    capture_amount: int | None = None
    captures: int = 0
    trade_no: str | None = None
    reason_code: str | None = None
    renewed_at: datetime | None = None
    not_taken_at: datetime | None = None

    @property
    def left(self) -> int:
        """What is still wanted of it, in minor units."""
        return self.amount - self.released if self.verdict is PaymentVerdict.KEPT else 0

    @property
    def target(self) -> int:
        """What a capture must have brought to be kept."""
        return (self.capture_amount or 0) if self.state is A.CAPTURING else self.left


@dataclass(frozen=True)
class AuthorizationReport:
    """What the provider reports. `number` is its number of the capture, or of the authorisation otherwise.

    `capture` says which of our captures it is about, the first is 1; None if the provider does not say.
    """

    status: Literal["authorized", "captured", "voided", "failed", "pending", "not_renewed"]
    number: str
    amount: int
    currency: str
    reason_code: str | None = None
    expire_at: datetime | None = None
    capture: int | None = None


@dataclass(frozen=True)
class AuthorizationChange:
    """What one report changes.

    `verdict` judges a capture. `gives_back`: the capture took also what was released, which goes back as refunds.
    `stops_goods` is the reason why nothing of the order may leave now. `renewed`: it is valid for longer.
    """

    after: PaymentAuthorization
    step: ProviderStep | None = None
    verdict: PaymentVerdict | None = None
    gives_back: bool = False
    stops_goods: str | None = None
    renewed: bool = False


def apply_report(one: PaymentAuthorization, report: AuthorizationReport, now: datetime) -> AuthorizationChange | None:
    """Return what the report changes, or None if it is known. No I/O."""
    apply = REPORTED.get(report.status)
    return apply(one, report, now) if apply is not None and one.state is not A.CAPTURED else None


def _captured(one: PaymentAuthorization, report: AuthorizationReport, now: datetime) -> AuthorizationChange:
    after = replace(one, state=A.CAPTURED, trade_no=report.number, not_taken_at=None)
    if one.verdict is not PaymentVerdict.KEPT:
        return AuthorizationChange(after, verdict=one.verdict)
    money = report.amount if report.currency == one.currency else None
    if money is not None and money == one.target > 0:
        return AuthorizationChange(replace(after, capture_amount=money), verdict=PaymentVerdict.KEPT)
    if money == one.amount:
        return AuthorizationChange(replace(after, capture_amount=money), verdict=PaymentVerdict.KEPT, gives_back=True)
    stops = "capture_amount_differs" if one.left else None
    after = replace(after, not_taken_at=now if stops else None)
    return AuthorizationChange(after, verdict=PaymentVerdict.MISMATCH, stops_goods=stops)


def _voided(one: PaymentAuthorization, report: AuthorizationReport, now: datetime) -> AuthorizationChange | None:
    if one.state is A.VOIDED:
        return None
    stops = "authorization_voided" if one.left and one.state is not A.VOIDING else None
    since = now if stops else one.not_taken_at
    why = report.reason_code or one.reason_code
    after = replace(one, state=A.VOIDED, reason_code=why, not_taken_at=since)
    return AuthorizationChange(after, stops_goods=stops)


def _failed(one: PaymentAuthorization, report: AuthorizationReport, now: datetime) -> AuthorizationChange | None:
    """A capture that failed before is listed for ever: a report of an earlier one says nothing of this one."""
    if one.state is A.VOIDING:
        return AuthorizationChange(one, step=ProviderStep.VOID)
    if one.state is not A.CAPTURING:
        return None
    if report.capture not in (None, one.captures) or (report.number and report.number == one.trade_no):
        return AuthorizationChange(one, step=ProviderStep.CAPTURE)
    after = replace(one, state=A.FAILED, trade_no=report.number or one.trade_no, reason_code=report.reason_code)
    if not one.left:
        return AuthorizationChange(replace(after, state=A.VOIDING), step=ProviderStep.VOID)
    return AuthorizationChange(replace(after, not_taken_at=now), stops_goods="capture_failed")


def _still_open(one: PaymentAuthorization, report: AuthorizationReport, now: datetime) -> AuthorizationChange | None:
    until = report.expire_at or one.expire_at
    after, renewed = one, False
    if report.number and (report.number != one.authorization_no or until > one.expire_at):
        after, renewed = replace(one, authorization_no=report.number, expire_at=until, renewed_at=now), True
    step = {A.CAPTURING: ProviderStep.CAPTURE, A.VOIDING: ProviderStep.VOID}.get(one.state)
    return AuthorizationChange(after, step=step, renewed=renewed) if step or renewed else None


def _not_renewed(one: PaymentAuthorization, _report: AuthorizationReport, now: datetime) -> AuthorizationChange | None:
    return AuthorizationChange(replace(one, renewed_at=now)) if one.state is A.AUTHORIZED else None


REPORTED: Mapping[str, Callable[[PaymentAuthorization, AuthorizationReport, datetime], AuthorizationChange | None]] = {
    "captured": _captured,
    "voided": _voided,
    "failed": _failed,
    "authorized": _still_open,
    "not_renewed": _not_renewed,
}
"""What a provider reports -> what it changes. A pending authorisation is waited for."""


def capture_now(one: PaymentAuthorization) -> PaymentAuthorization | None:
    """Return the authorisation while what is left of it is captured; None if it is captured, or cannot be."""
    if one.state not in OPEN or not one.left:
        return None
    return replace(one, state=A.CAPTURING, capture_amount=one.left, captures=one.captures + 1, reason_code=None)


def void_unwanted(one: PaymentAuthorization) -> PaymentAuthorization | None:
    """Return the authorisation while it is voided, because nothing of it is wanted; None if some is, or it ended."""
    return replace(one, state=A.VOIDING) if one.state in OPEN and not one.left else None


def look_at(one: PaymentAuthorization, honored_for: timedelta | None) -> datetime:
    """Return when an open authorisation needs a look: before it ends, or when the provider's promise for it ends.

    A provider may promise the money only `honored_for` after each renewal, and keep the authorisation for longer.
    """
    before_end = one.expire_at - min(RENEWED_BEFORE_END, (one.expire_at - one.authorized_at) // 4)
    if honored_for is None:
        return before_end
    return min(before_end, (one.renewed_at or one.authorized_at) + honored_for)


def ends_soon(one: PaymentAuthorization | None, now: datetime) -> bool:
    """True if an authorisation waits for its goods and ends before another renewal would be looked for."""
    return one is not None and one.state is A.AUTHORIZED and now >= look_at(one, None)


def renewed_in_vain(one: PaymentAuthorization, now: datetime) -> bool:
    """True if it has ended, or its provider has answered a renewal since it ends soon, and it still does."""
    return now >= one.expire_at or (one.renewed_at is not None and one.renewed_at >= look_at(one, None))
