"""What the outside world knows so far, as it is told to the demo once a second."""

import time
from collections import Counter, deque
from typing import Any

from scripts.demo.paying import DISBELIEVED
from scripts.demo.till import AGREED
from scripts.demo.world import World


class Reporter:
    """Makes the reports."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._created: deque[tuple[float, int]] = deque(maxlen=11)

    def report(self) -> dict[str, Any]:
        """What is known so far."""
        world = self._world
        created = world.outcomes.decided["order.create.v1 -> order.created.v1"]
        self._created.append((time.monotonic(), created))
        return {
            "seconds": time.monotonic() - world.started,
            "phase": self._phase(),
            "idle": world.idle(),
            "ordered": world.buyers.ordered,
            "created": created,
            "created_per_second": self._rate(),
            "commands_sent": sum(world.outcomes.sent.values()),
            "commands_open": len(world.outcomes.open),
            "contradictions": world.outcomes.contradictions[:5],
            "latency": world.outcomes.latency.recent(),
            "live": dict(Counter(order.state for order in world.following.live.values())),
            "ended": dict(world.following.ended),
            "captured_cents": dict(world.paying.receipts.captured_cents),
            "refunded_cents": dict(world.paying.receipts.refunded_cents),
            "benefits": self._benefits(),
            "malformed": len(world.vandal.sent),
            "reconnects": sum(link.reconnects for link in world.links.values()),
        }

    def final(self) -> dict[str, Any]:
        """The last report: everything."""
        world = self._world
        world.flush()
        return self.report() | {
            "finished": True,
            "latency_all": world.outcomes.latency.all(),
            "sent": dict(world.outcomes.sent),
            "decided": dict(world.outcomes.decided),
            "refusals": dict(world.outcomes.refusals),
            "buyers": self._did(),
            "agreed": world.till.did[AGREED],
            "surprises": world.till.surprises[:5],
            "split_wrongly": world.following.families.wrong[:5],
            "disbelieved": world.paying.did[DISBELIEVED],
            "service": dict(world.paying.service.did),
            "payers": dict(world.paying.payers.did + world.paying.did),
            "carrier": dict(world.carrier.did),
            "vandal": world.vandal.sent,
            "stuck": self.stuck(),
        }

    def stuck(self) -> list[str]:
        """The longest waits, as text."""
        world = self._world
        orders = [f"order {key} is {order.state}" for key, order in list(world.following.live.items())[:5]]
        repeats = [f"repeat {key} has no reply" for key in list(world.till.repeats_owed)[:3]]
        others = world.paying.receipts.stuck() + world.carrier.stuck() + world.following.families.stuck()
        return world.outcomes.oldest() + orders + repeats + others

    def _benefits(self) -> dict[str, int]:
        """What orders cost less, here and in the data set, and how many were split and merged."""
        world = self._world
        families = world.following.families.did
        return {f"{name}_cents": cents for name, cents in world.buyers.cents.items()} | {
            "coupons_used": world.passbook.coupons_used,
            "points_used": world.passbook.points_used,
            "split": families["split orders"],
            "parts": families["parts of split orders"],
            "merged": world.paying.bills.did["merged payments"],
        }

    def _did(self) -> dict[str, int]:
        world = self._world
        people = (world.buyers, world.till, world.following, world.together, world.questions, world.paying.bills)
        return {what: times for somebody in people for what, times in somebody.did.items()}

    def _phase(self) -> str:
        if not self._world.buyers.ordered:
            return "stocking"
        return "draining" if self._world.placed_all else "ordering"

    def _rate(self) -> float:
        (then, before), (at, count) = self._created[0], self._created[-1]
        return (count - before) / (at - then) if at > then else 0.0
