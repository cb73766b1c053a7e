"""Whether and when a buyer is notified by a medium, and in which language. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from workers.domain.codes import Code
from workers.domain.refusal import Refusal

_MAILBOX = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
MAILBOX_CHARS_MAX = 254
BEFORE_PAYMENT = frozenset({"placing", "awaiting_payment"})


class SkipReason(StrEnum):
    """Why a notification is not sent."""

    NO_CONTACT = "no_contact"
    DISABLED = "disabled"
    OPTED_OUT = "opted_out"
    ERASED = "erased"
    EXPIRED = "expired"


@dataclass(frozen=True)
class QuietTime:
    """The hours of each day in which nothing is sent. `until` before `begin` is on the next day."""

    begin: time
    until: time
    zone: tzinfo

    def ends(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end in which `now` is, or None if it is in none."""
        local = now.astimezone(self.zone)
        at, over_midnight = local.time(), self.until < self.begin
        quiet = at >= self.begin or at < self.until if over_midnight else self.begin <= at < self.until
        if not quiet:
            return None
        day = local.date() + timedelta(days=1 if over_midnight and at >= self.begin else 0)
        return datetime.combine(day, self.until, self.zone).astimezone(UTC)


@dataclass(frozen=True)
class ContactChoice:
    """What a user chose for one medium."""

    enabled: bool = True
    quiet: QuietTime | None = None
    opt_outs: Collection[str] = ()


def decide(choice: ContactChoice | None, kind: str, category: str, now: datetime) -> datetime | SkipReason:
    """Return the moment from which on the user may be notified, or why not at all. No I/O."""
    if choice is None:
        return SkipReason.NO_CONTACT
    if not choice.enabled:
        return SkipReason.DISABLED
    if kind in choice.opt_outs or category in choice.opt_outs:
        return SkipReason.OPTED_OUT
    return (choice.quiet.ends(now) if choice.quiet else None) or now


def repeats_its_parent(event: Mapping[str, Any]) -> bool:
    """True for a step of a part of a split order before it is paid: the event of the whole order says the same."""
    return event.get("parent_id") is not None and event.get("previous") in BEFORE_PAYMENT


def languages(wanted: str, default: str) -> list[str]:
    """Return the languages in which a template is looked for, the best first: zh-TW, zh, then the shop's."""
    return list(dict.fromkeys([wanted, wanted.partition("-")[0], default]))


def wrong_address(medium: str, address: str) -> Refusal | None:
    """Return why this is no address of the medium, without quoting it; or None."""
    match medium:
        case "email" if not (_MAILBOX.fullmatch(address) and len(address) <= MAILBOX_CHARS_MAX):
            why = "the address is not that of a mailbox, such as ada@shop.example"
        case "sms" if not _NUMBER.fullmatch(address):
            why = "the address is no number with its country, such as +441632960000"
        case _:
            return None
    return Refusal(Code.CONTACT_INVALID, why, {"field": "address"})


def wrong_opt_outs(given: Collection[str], known: Collection[str]) -> Refusal | None:
    """Return why these are no kinds or categories of notifications, or None."""
    unknown = sorted(set(given) - set(known))
    if not unknown:
        return None
    why = f"an opt-out is one of {', '.join(sorted(known))}"
    return Refusal(Code.CONTACT_INVALID, why, {"field": "opt_outs"})


def unknown_zone(name: str) -> Refusal | None:
    """Return that this is no time zone, or None."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        why = "the time zone is none of IANA, such as Asia/Shanghai"
        return Refusal(Code.CONTACT_INVALID, why, {"field": "quiet_hours.time_zone"})
    return None
