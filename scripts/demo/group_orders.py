"""Some buyers buy in groups: each orders a unit of one product, and all of a group's orders go on or none does."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scripts.amqp_client import ReceivedMessage
from scripts.demo.baskets import Basket

EVENTS = ("group.*",)
SIZE = 3
"""The seats of each group."""
TEAMS = (SIZE, SIZE - 1, SIZE + 1)
"""How many buyers try to join each group, in turn: as many as there are seats, one too few, one too many."""
ENTRIES = 25
"""Of so many entries, each a buyer or a pair of orders, those that can join the first buyer form one team."""
NO_SEAT = frozenset({"GROUP_FULL", "GROUP_CLOSED"})
"""Codes of orders that came too late for a seat."""
FORMED = "group.formed.v1"
OUTSIDE = frozenset({"fulfilling", "shipped", "delivered", "delivery_failed", "completed"})
"""The states of orders that a warehouse has got."""


@dataclass
class GroupOrder:
    """An order of a group as its events show it. `left`: a warehouse got it."""

    order_id: str
    state: str = ""
    version: int = 0
    reason_code: str | None = None
    left: bool = False

    def receive(self, body: dict[str, Any]) -> None:
        """Take over what an event of the order says; an older event says nothing new."""
        self.left |= body["state"] in OUTSIDE
        if body["version"] > self.version:
            self.version, self.state, self.reason_code = body["version"], body["state"], body.get("reason_code")


@dataclass
class Group:
    """A group with its orders by id. `outcome` is the event that ended it, which named the orders in `named`.

    `contrary` is an event that ended it otherwise, which none may.
    """

    group_id: str
    outcome: str | None = None
    contrary: str | None = None
    paid: int = 0
    named: list[str] = field(default_factory=list)
    orders: dict[str, GroupOrder] = field(default_factory=dict)


class GroupOrders:
    """Has some buyers form teams, and follows the groups that they join to their end."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()
        self._sizes = itertools.cycle(TEAMS)
        self._groups: dict[str, Group] = {}
        self._of_baskets: dict[str, Group] = {}
        self._of_orders: dict[str, Group] = {}

    @property
    def open(self) -> int:
        """How many groups with orders have not ended."""
        return sum(group.outcome is None for group in self._groups.values() if group.orders)

    def in_teams(self, entries: Sequence[tuple[Basket, ...]]) -> list[tuple[Basket, ...]]:
        """Have some buyers of single baskets order together. The others' entries stay as they are."""
        found: list[tuple[Basket, ...]] = []
        for start in range(0, len(entries), ENTRIES):
            part = list(entries[start : start + ENTRIES])
            team = self._team(entry[0] for entry in part if len(entry) == 1)
            together = {basket.basket_id for basket in team}
            found += [entry for entry in part if entry[0].basket_id not in together]
            if team:
                found.append(self._joined(team))
        return found

    def _team(self, baskets: Iterable[Basket]) -> list[Basket]:
        """Choose buyers who pay in one currency."""
        chosen: dict[str, Basket] = {}
        wanted = next(self._sizes)
        for basket in baskets:
            fits = not chosen or basket.currency == next(iter(chosen.values())).currency
            if fits and len(chosen) < wanted:
                chosen.setdefault(basket.user, basket)
        return list(chosen.values())

    def _joined(self, team: Sequence[Basket]) -> tuple[Basket, ...]:
        """Have each buy one unit of the first one's first product, without a coupon."""
        product, group_id = team[0].lines[0][0], f"team-{team[0].basket_id}"
        group = self._groups[group_id] = Group(group_id)
        self._of_baskets |= {basket.basket_id: group for basket in team}
        self.did["buyers who want to join a group"] += len(team)
        terms: dict[str, Any] = {"coupon": None, "retail_off_cents": 0, "coupons_off_cents": 0, "group_id": group_id}
        return tuple(replace(basket, lines=((product, 1),), **terms) for basket in team)

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of a group or of an order."""
        body = received.body
        if received.type.startswith("group."):
            group = self._groups.get(body["group_id"])
            if group is not None and group.outcome not in (None, received.type):
                group.contrary = received.type
            elif group is not None and group.outcome is None:
                group.outcome, group.paid, group.named = received.type, body["paid"], body["order_ids"]
                self.did["groups that formed" if received.type == FORMED else "groups that failed"] += 1
            return
        if received.type == "order.created.v1":
            self._join(body)
        group = self._of_orders.get(body["order_id"])
        if group is not None:
            group.orders[body["order_id"]].receive(body)

    def _join(self, created: dict[str, Any]) -> None:
        """Remember the order of a buyer who wanted to join: its request names the basket."""
        group = self._of_baskets.get(basket_of(created["request_id"]))
        if group is not None and created["order_id"] not in group.orders:
            group.orders[created["order_id"]] = GroupOrder(created["order_id"])
            self._of_orders[created["order_id"]] = group
            self.did["orders in groups"] += 1

    def records(self) -> list[dict[str, Any]]:
        """Return the groups with orders, as JSON."""
        groups = [group for group in self._groups.values() if group.orders]
        return [asdict(group) | {"orders": [asdict(one) for one in group.orders.values()]} for group in groups]

    def stuck(self) -> list[str]:
        """Return groups that have not ended, as text."""
        left = [group for group in self._groups.values() if group.orders and group.outcome is None]
        return [f"group {group.group_id} of {len(group.orders)} orders has not ended" for group in left[:3]]


def basket_of(request_id: str) -> str:
    """Return the id of the basket that a request of Buyers orders."""
    return request_id.removeprefix("basket-").partition("-")[0]
