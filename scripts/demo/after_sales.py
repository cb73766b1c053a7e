"""Buyers, operators and warehouses in after-sale cases: one delivered order in eight has a case, of each kind in turn.

It notes what it did with each case. The check of the cases compares that with the database (case_check.py).
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.role_links import RoleLinks
from scripts.demo.wanted_goods import EXCHANGES, KEEPS_BOTH, WantedGoods, is_replacement

EVENTS = ("after_sale.*", "send_back.shipped", "refund.requested", "refund.failed")
ONE_IN = 8
KINDS = (
    "keeps the goods",
    "returns one unit",
    "never sends back",
    "returns broken goods",
    "returns doubtful goods",
    "is rejected first",
    "changes its mind",
    "returns everything",
    "returns some broken units",
    "gets a smaller amount",
    *EXCHANGES,
    LOST_RETURN := "loses them on their way back",
)
BY_CARRIER = "came back by itself"
"""A parcel came back after its delivery, and the order system opened the case."""
RETURN_SECONDS = 6
"""The time for sending goods back: who never does is through within the drain."""
ENDED = frozenset({"completed", "closed", "revoked", "unreturned"})
"""A case that is unreturned waits for its buyer's money, which nobody of the demo pays."""
SMALLER_AMOUNT = 1
GIVEN_UP = 0.5
"""The chance that an operator gives up what the buyer of an exchange owes."""
OPERATOR = {"type": "operator", "id": "on-duty"}


@dataclass
class DemoCase:
    """One case: what is claimed (line number -> units), and what the inspector found: disposition -> SKU -> units."""

    order_id: str
    user: str
    kind: str
    claimed: dict[int, int]
    skus: dict[int, str]
    case_id: str = ""
    state: str = ""
    version: int = 0
    reviews: int = 0
    difference: int | None = None
    owed: int = 0
    found: dict[str, dict[str, int]] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return what the check compares."""
        names = ("order_id", "case_id", "kind", "state", "found", "difference", "accepted", "owed")
        return {name: getattr(self, name) for name in names} | {"units": self.units_back}

    @property
    def ended(self) -> bool:
        """True if nothing more happens; a buyer whose wanted goods are sold out does not insist."""
        return self.state in ENDED or (self.state == "rejected" and self.kind in EXCHANGES)

    @property
    def accepted(self) -> int:
        """The units that the inspector has accepted."""
        return sum(sum(units.values()) for to, units in self.found.items() if to != "send_back")

    @property
    def units_back(self) -> int:
        """The units that must be given back: of a completed case the accepted ones, or all if none come back."""
        if self.state != "completed":
            return 0
        stays = self.kind in ("keeps the goods", "is rejected first", "gets a smaller amount")
        return sum(self.claimed.values()) if stays else self.accepted


class AfterSales:
    """Opens cases and takes each through its kind, by the events that arrive."""

    def __init__(self, link: RoleLinks, tasks: BackgroundTasks, outcomes: CommandOutcomes, wanted: WantedGoods) -> None:
        self.did: Counter[str] = Counter()
        self.cases: dict[str, DemoCase] = {}
        self._link, self._tasks, self._outcomes = link, tasks, outcomes
        self._wanted = wanted
        self._lines: dict[str, list[dict[str, Any]]] = {}
        self._delivered: set[str] = set()
        self._bought = 0
        self._kinds: dict[str, str] = {}

    @property
    def open(self) -> int:
        """How many cases have not ended."""
        return sum(not case.ended for case in self.cases.values())

    def stuck(self) -> list[str]:
        """Return cases that have not ended, as text."""
        waiting = [case for case in self.cases.values() if not case.ended]
        return [f"case {case.case_id}, whose buyer {case.kind}, is {case.state}" for case in waiting[:3]]

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of an order, a case or a refund."""
        body = received.body
        match received.type:
            case "order.created.v1":
                self._lines[body["order_id"]] = body["lines"]
                if is_replacement(body):
                    self._delivered.add(body["order_id"])  # cases are about goods that were bought
            case "order.delivered.v1" if body["order_id"] not in self._delivered:
                self._delivered.add(body["order_id"])
                self._bought += 1
                if self._bought % ONE_IN == 0:
                    self._tasks.start(self._apply(body))
            case "refund.failed.v1":
                self._tasks.start(self._refund_again(body))
            case type_ if type_.startswith("after_sale."):
                self._follow(body)

    async def _apply(self, order: dict[str, Any]) -> None:
        """Have the buyer of a delivered order apply."""
        kind = KINDS[self._bought // ONE_IN % len(KINDS)]
        self._kinds[order["order_id"]] = kind
        lines = self._lines[order["order_id"]]
        whole = kind in ("returns everything", "returns some broken units")
        stays = kind in ("keeps the goods", "is rejected first", "gets a smaller amount")
        wanted = [] if whole else [{"line_no": lines[0]["line_no"], "qty": 1} | self._wanted.instead(kind, lines[0])]
        outcome = await self._send(
            "after_sale.apply.v1",
            {"type": "user", "id": order["user_id"]},
            order_id=order["order_id"],
            type="exchange" if kind in EXCHANGES else "refund_only" if stays else "return_refund",
            reason_code="quality" if random.random() < 0.5 else "changed_mind",
            lines=wanted,
            evidence=["photo/1"],
        )
        self.did[kind if "code" not in outcome else f"{kind}: {outcome['code']}"] += 1

    def _follow(self, event: dict[str, Any]) -> None:
        """Note the step that a case took, and do what comes next."""
        case = self.cases.get(event["case_id"])
        if case is None:
            kind = self._kinds.get(event["order_id"], BY_CARRIER)
            claimed = {line["line_no"]: line["qty"] for line in event["lines"]}
            skus = {line["line_no"]: line["sku_id"] for line in event["lines"]}
            case = DemoCase(event["order_id"], event["user_id"], kind, claimed, skus, event["case_id"])
            self.cases[case.case_id] = case
        if event["version"] > case.version:
            case.version, case.state = event["version"], event["state"]
            case.difference = event.get("difference", case.difference)
            case.owed = event.get("owed_amount", case.owed)
            self._tasks.start(self._act(case, event["state"]))

    async def _act(self, case: DemoCase, state: str) -> None:
        await asyncio.sleep(random.uniform(0.1, 1.0))
        match state:
            case "requested" if case.kind == "changes its mind":
                await self._of_buyer(case, "cancel")
            case "requested" | "reopened":
                await self._review(case)
            case "rejected" if not case.ended:
                await self._of_buyer(case, "reopen")
            case "awaiting_return" if case.kind not in {"never sends back", KEEPS_BOTH}:
                await self._of_buyer(case, "ship_back", carrier="return", tracking_no=f"back-{case.case_id}")
            case "return_in_transit" if case.kind == LOST_RETURN:
                await self._report_lost(case)
            case "return_in_transit":
                await self._about(case, "receive", {"type": "system", "id": "returns"})
            case "received":
                await self._inspect(case)
            case "unreturned" if random.random() < GIVEN_UP:
                await self._about(case, "close", OPERATOR, reason_code="given_up")
            case "inspect_failed":
                await self._about(case, "review", OPERATOR, decision="reject", reason_code="broken")

    async def _review(self, case: DemoCase) -> None:
        case.reviews += 1
        if case.kind == "is rejected first" and case.reviews == 1:
            await self._about(case, "review", OPERATOR, decision="reject", reason_code="no_proof")
        elif case.kind == "gets a smaller amount":
            why = {"amount": SMALLER_AMOUNT, "reason_code": "used"}
            await self._about(case, "review", OPERATOR, decision="approve", **why)
        else:
            await self._about(case, "review", OPERATOR, decision="approve")

    async def _inspect(self, case: DemoCase) -> None:
        """Inspect every unit, in one report or in two."""
        dispositions = {
            "returns broken goods": ["send_back"],
            "returns doubtful goods": ["quarantine"],
            "returns some broken units": ["restock", "write_off", "send_back"],
        }.get(case.kind, ["restock"])
        reports = []
        for number, (line_no, qty) in enumerate(sorted(case.claimed.items())):
            to = dispositions[number % len(dispositions)]
            reports.append({"line_no": line_no, "qty": qty, "disposition": to})
            units = case.found.setdefault(to, {})
            units[case.skus[line_no]] = units.get(case.skus[line_no], 0) + qty
        half = len(reports) // 2 if random.random() < 0.5 else 0
        for part in filter(None, (reports[:half], reports[half:])):
            await self._about(case, "inspect", {"type": "system", "id": "returns"}, lines=part)

    async def _report_lost(self, case: DemoCase) -> None:
        """The carrier has lost the parcel: an operator reports all units as lost, and the case goes on without them."""
        lost = [{"line_no": line_no, "qty": qty, "disposition": "lost"} for line_no, qty in case.claimed.items()]
        for line_no, qty in case.claimed.items():
            units = case.found.setdefault("write_off", {})
            units[case.skus[line_no]] = units.get(case.skus[line_no], 0) + qty
        await self._about(case, "inspect", OPERATOR, lines=lost)

    async def _refund_again(self, refund: dict[str, Any]) -> None:
        """Request a failed refund again, under its number or a new one."""
        number = {random.choice(["refund_no", "replaces"]): refund["refund_no"]}
        self.did[f"refund again by {next(iter(number))}"] += 1
        about = {"order_id": refund["order_id"], "amount": refund["amount"], "reason": "the provider failed"}
        await self._send("refund.request.v1", OPERATOR, **about, **number)

    async def _of_buyer(self, case: DemoCase, what: str, **fields: Any) -> None:
        await self._about(case, what, {"type": "user", "id": case.user}, **fields)

    async def _about(self, case: DemoCase, what: str, actor: dict[str, str], **fields: Any) -> None:
        outcome = await self._send(
            f"after_sale.{what}.v1", actor, order_id=case.order_id, case_id=case.case_id, **fields
        )
        self.did[f"{what}: {outcome['code']}" if "code" in outcome else what] += 1

    async def _send(self, type_: str, actor: dict[str, str], **fields: Any) -> dict[str, Any]:
        """Send a command, sometimes twice, and return its outcome."""
        message = OutgoingMessage(type_, {"request_id": new_id(), "actor": actor} | fields)
        sent = self._outcomes.remember(message)
        for _ in range(2 if random.random() < 0.1 else 1):
            await self._link.send(message)
        return (await sent.outcome()).body
