"""What an explanation of an order needs beside the order: its holds, hand-overs, attempts, waybills and cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from messages.explanations import MissingTimerShown
from workers.domain.after_sales import CaseState
from workers.domain.captchas import CaptchaChallenge
from workers.domain.hand_overs import HandOverState
from workers.domain.holds import HoldKind


@dataclass(frozen=True)
class PlacedOn:
    """An open hold on an order, when it was placed, and since when its order has been held without a break."""

    hold_id: int
    kind: HoldKind
    placed_at: datetime
    held_since: datetime


@dataclass(frozen=True)
class AtWarehouse:
    """A hand-over, and since when it is in its state. `is_stopping`: a cancellation is not answered.

    `at_work_since` is when the warehouse accepted the newest request, if it has.
    """

    warehouse: str
    state: HandOverState
    since: datetime
    is_stopping: bool = False
    at_work_since: datetime | None = None


@dataclass(frozen=True)
class OpenAttempt:
    """An attempt to pay that may still end well."""

    attempt_id: int
    provider: str
    started_at: datetime
    expire_at: datetime


@dataclass(frozen=True)
class OpenWaybill:
    """A parcel that its carrier has to book, or, if it `cancels`, to cancel because it is not used."""

    waybill_id: int
    carrier: str
    requested_at: datetime
    cancels: bool


@dataclass(frozen=True)
class CancellationAhead:
    """A cancellation that is scheduled: at which time, since when and by whom, and whether a payment ends it."""

    at: datetime
    scheduled_at: datetime
    by_buyer: bool
    unpaid: bool


@dataclass(frozen=True)
class OwedGoods:
    """Goods of a case that a warehouse has to send back to the buyer; people are alerted if it has not `until` then."""

    case_no: str
    warehouse: str
    requested_at: datetime
    until: datetime | None = None


class CaseTimes(NamedTuple):
    """Since when a case is in its state, when its timer ends that, and the state that the case has then.

    Without such a state, people are alerted, and the case goes on waiting.
    """

    since: datetime | None = None
    until: datetime | None = None
    otherwise: CaseState | None = None


@dataclass(frozen=True)
class Situation:
    """What an explanation needs beside the order: each of these belongs to one order, without its children.

    `since` is when the order came into its state. `timers` maps the kind of a timer to when it is due, `missing_timers`
    has those that should run and do not, and `unpolled`, by kind and number, those of attempts, refunds and parcels of
    which a person has ended the polling. `cases` has the times of each case, by its id, and of an exchange order those
    of the case that it is of.
    """

    since: datetime | None = None
    timers: Mapping[str, datetime] = field(default_factory=dict)
    missing_timers: Mapping[str, MissingTimerShown] = field(default_factory=dict)
    unpolled: Mapping[tuple[str, str], MissingTimerShown] = field(default_factory=dict)
    holds: Sequence[PlacedOn] = ()
    hand_overs: Sequence[AtWarehouse] = ()
    attempts: Sequence[OpenAttempt] = ()
    waybills: Sequence[OpenWaybill] = ()
    cases: Mapping[int, CaseTimes] = field(default_factory=dict)
    send_backs: Sequence[OwedGoods] = ()
    cancellation: CancellationAhead | None = None
    captcha: CaptchaChallenge | None = None
