"""Buyers who want to be notified by e-mail, each in a way of their own, and the mails that each event must cause.

The rules are those of messages/README.md, written once more here: nothing of the order system computes what it should
have sent.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id
from scripts.demo.command_outcomes import CommandOutcomes, PendingCommand
from scripts.demo.role_links import RoleLinks

EVENTS = ("contact.*",)
SUBJECTS: Mapping[str, tuple[str, str, str]] = {
    "order.created.v1": ("order_created", "order {order} awaits payment", "订单 {order} 待付款"),
    "order.paid.v1": ("order_paid", "order {order} is paid", "订单 {order} 已付款"),
    "order.shipped.v1": ("service", "order {order} is on its way", "订单 {order} 已发货"),
    "order.delivered.v1": ("service", "order {order} has arrived", "订单 {order} 已送达"),
    "order.cancelled.v1": ("order_cancelled", "order {order} is cancelled", "订单 {order} 已取消"),
    "refund.succeeded.v1": ("refund_succeeded", "your refund for order {order}", "订单 {order} 的退款"),
    "after_sale.approved.v1": ("service", "your case {case} is approved", "售后单 {case} 已通过"),
    "after_sale.rejected.v1": ("service", "your case {case} is not approved", "售后单 {case} 未通过"),
}
"""Event -> by which word a buyer opts out of it, and the subjects of its mail."""
MAIL_KINDS = NOT_WANTED, QUIET, ENGLISH, CHINESE = "not wanted", "in quiet hours", "in English", "in Chinese"
BEFORE_PAYMENT = ("placing", "awaiting_payment")
QUIET_HOURS = 12


class Occasion(NamedTuple):
    """What causes one mail: the step `version` of an order or of the case `which`, or the refund `which`."""

    type: str
    order_id: str
    which: str
    version: int


@dataclass(frozen=True)
class MailWish:
    """How a buyer wants to be notified. In quiet hours nothing is sent before the run is long over."""

    language: str
    opt_outs: tuple[str, ...] = ()
    quiet: bool = False


WISHES = (
    MailWish("en"),
    MailWish("zh"),
    MailWish("zh", ("order_created", "service")),
    MailWish("en", quiet=True),
    None,
    None,
    None,
    None,
)
"""Each new buyer has the next one, and after the last one the first. Half of the buyers want no mails."""


class NotifiedBuyers:
    """Tells the order system how buyers are reached, and remembers what they must hear of."""

    def __init__(self, link: RoleLinks, outcomes: CommandOutcomes, file: Path) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._outcomes = link, outcomes
        self._file, self._numbers = file, count()
        self._wishes: dict[str, MailWish | None] = {}
        self._introductions: dict[str, PendingCommand] = {}
        self._orders: dict[str, tuple[str, str]] = {}
        self._caused: set[Occasion] = set()

    async def introduce(self, user: str) -> None:
        """Set how a buyer is reached, before the first order, and wait until that counts."""
        if user not in self._wishes:
            wish = self._wishes[user] = WISHES[next(self._numbers) % len(WISHES)]
            if wish is not None:
                message = contact_set(user, wish)
                self._introductions[user] = self._outcomes.remember(message)
                await self._link.send(message)
        if user in self._introductions:
            await self._introductions[user].outcome()

    def receive(self, received: ReceivedMessage) -> None:
        """Remember an event that causes a mail. A part of an order says nothing of its own before it is paid."""
        body = received.body
        if received.type not in SUBJECTS:
            return
        if "order_no" in body:
            self._orders[body["order_id"]] = body["user_id"], body["order_no"] or body["order_id"]
        if body.get("parent_id") is None or body.get("previous") not in BEFORE_PAYMENT:
            which = body.get("refund_no") or body.get("case_no") or ""
            self._caused.add(Occasion(received.type, body["order_id"], which, body.get("version", 0)))

    def write(self) -> None:
        """Write the file: a line `address,language,quiet,subject` for each mail that must be sent, or wait."""
        with self._file.open("w", encoding="utf-8", newline="") as opened:
            rows = csv.writer(opened)
            for occasion in self._caused:
                user, order_no = self._orders.get(occasion.order_id, ("", ""))
                wish = self._wishes.get(user)
                if wish is None:
                    continue
                word, english, chinese = SUBJECTS[occasion.type]
                if word in wish.opt_outs:
                    self.did[NOT_WANTED] += 1
                    continue
                is_english = wish.language == "en"
                self.did[QUIET if wish.quiet else ENGLISH if is_english else CHINESE] += 1
                subject = (english if is_english else chinese).format(order=order_no, case=occasion.which)
                rows.writerow([address_of(user), wish.language, int(wish.quiet), subject])


def contact_set(user: str, wish: MailWish) -> OutgoingMessage:
    """Return the message that says how a buyer is reached."""
    now = datetime.now(UTC)
    body: dict[str, Any] = {
        "request_id": new_id(),
        "actor": {"type": "user", "id": user},
        "user_id": user,
        "medium": "email",
        "address": address_of(user),
        "language": wish.language,
        "opt_outs": list(wish.opt_outs),
    }
    if wish.quiet:
        begin, until = now - timedelta(minutes=1), now + timedelta(hours=QUIET_HOURS)
        body["quiet_hours"] = {"begin": f"{begin:%H:%M}", "until": f"{until:%H:%M}", "time_zone": "UTC"}
    return OutgoingMessage("contact.set.v1", body)


def address_of(user: str) -> str:
    """Return the mailbox of a buyer."""
    return f"{user}@mail.example"
