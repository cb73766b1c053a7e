"""The report that the client writes once a second for the live view, and the last one for the summary."""

import time
from collections import Counter, deque
from typing import Any

from scripts.demo.order_placement import AGREED
from scripts.demo.outside_systems import OutsideSystems
from scripts.demo.payments import REFUSED_NOTIFICATIONS


class Reporter:
    """Builds the reports."""

    def __init__(self, systems: OutsideSystems) -> None:
        self._systems = systems
        self._created: deque[tuple[float, int]] = deque(maxlen=11)

    def report(self) -> dict[str, Any]:
        """Return the state so far."""
        systems = self._systems
        created = systems.outcomes.decided["order.create.v1 -> order.created.v1"]
        self._created.append((time.monotonic(), created))
        return {
            "seconds": time.monotonic() - systems.started,
            "phase": self._phase(),
            "idle": systems.idle(),
            "ordered": systems.buyers.ordered,
            "created": created,
            "created_per_second": self._rate(),
            "commands_sent": sum(systems.outcomes.sent.values()),
            "commands_open": len(systems.outcomes.open),
            "contradictions": systems.outcomes.contradictions[:5],
            "latency": systems.outcomes.latency.recent(),
            "live": dict(Counter(order.state for order in systems.placed_orders.live.values())),
            "ended": dict(systems.placed_orders.ended),
            "captured_cents": dict(systems.payments.receipts.captured_cents),
            "refunded_cents": dict(systems.payments.receipts.refunded_cents),
            "benefits": self._benefits(),
            "malformed": len(systems.malformed_messages.sent),
            "reconnects": sum(link.reconnects for link in systems.links.values()),
        }

    def final(self) -> dict[str, Any]:
        """Return the last report, with all counts."""
        systems = self._systems
        systems.flush()
        systems.notified_buyers.write()
        return self.report() | {
            "finished": True,
            "latency_all": systems.outcomes.latency.all(),
            "sent": dict(systems.outcomes.sent),
            "decided": dict(systems.outcomes.decided),
            "refusals": dict(systems.outcomes.refusals),
            "buyers": self._did(),
            "agreed": systems.placement.did[AGREED],
            "unexpected_answers": systems.placement.unexpected_answers[:5],
            "split_wrongly": systems.placed_orders.split_orders.wrong[:5],
            "notifications_refused": systems.payments.did[REFUSED_NOTIFICATIONS],
            "service": dict(systems.payments.service.did),
            "provider_payments": dict(systems.payments.provider_payments.did + systems.payments.did),
            "carrier": dict(systems.carrier.did),
            "warehouses": {one.name: dict(one.did) for one in systems.warehouses},
            "misled": [text for one in systems.warehouses for text in one.misled][:5],
            "kinds": self._kinds(),
            "operators": dict(systems.operators.did),
            "after_sales": dict(systems.after_sales.did),
            "groups": dict(systems.group_orders.did),
            "group_orders": systems.group_orders.records(),
            "cases": [case.record() for case in systems.after_sales.cases.values()],
            "reads": dict(systems.order_reads.did),
            "reads_latency": systems.order_reads.latency.all(),
            "unexpected_reads": systems.order_reads.unexpected[:5],
            "labels": self._labels(),
            "day": systems.day.figures(systems.malformed_messages.sent),
            "mails": dict(systems.notified_buyers.did),
            "malformed_sent": systems.malformed_messages.sent,
            "stuck": self.stuck(),
        }

    def stuck(self) -> list[str]:
        """Return what has waited longest, as text."""
        systems = self._systems
        orders = [f"order {key} is {order.state}" for key, order in list(systems.placed_orders.live.items())[:5]]
        repeats = [f"repeat {key} has no reply" for key in list(systems.placement.repeats_owed)[:3]]
        others = (
            systems.payments.receipts.stuck() + systems.bookings.stuck() + systems.placed_orders.split_orders.stuck()
        )
        return (
            systems.outcomes.oldest()
            + orders
            + repeats
            + others
            + systems.after_sales.stuck()
            + systems.tasks.stuck()
            + systems.group_orders.stuck()
        )

    def _benefits(self) -> dict[str, int]:
        """Return what orders cost less, here and in the data set, and how many were split and merged."""
        systems = self._systems
        split_orders = systems.placed_orders.split_orders.did
        return {f"{name}_cents": cents for name, cents in systems.buyers.cents.items()} | {
            "coupons_used": systems.benefits_log.coupons_used,
            "points_used": systems.benefits_log.points_used,
            "split": split_orders["split orders"],
            "parts": split_orders["parts of split orders"],
            "merged": systems.payments.bills.did["merged payments"],
        }

    def _kinds(self) -> dict[str, int]:
        """Return how often each kind of shipping occurred."""
        systems = self._systems
        did, decided = sum((one.did for one in systems.warehouses), Counter[str]()), systems.outcomes.decided
        names = ("parcels at carriers", "parcels under own numbers", "parcels with several orders")
        holds = sum(times for what, times in systems.operators.did.items() if what.startswith("holds"))
        return {f"orders of the warehouse {one.name}": len(one.order_ids) for one in systems.warehouses} | {
            "orders split over both warehouses": len(set.intersection(*(one.order_ids for one in systems.warehouses))),
            "lines without a warehouse": did["lines"],
            **{name: did[name] for name in names},
            "orders shipped in parts": did["parcels before the rest"],
            "shortages": decided["order.shortage.report.v1 -> order.shortage_recorded.v1"],
            "rests cancelled by their buyers": decided["order.cancel_rest.v1 -> order.rest_cancelled.v1"],
            "holds": holds,
        }

    def _labels(self) -> dict[str, Any]:
        """Return how many parcels have the address that their buyers gave, and which have not."""
        equal, different = self._systems.labels.compare()
        return {"equal": equal, "unequal": len(different), "examples": different[:5]}

    def _did(self) -> dict[str, int]:
        systems = self._systems
        sources = (
            systems.buyers,
            systems.placement,
            systems.placed_orders,
            systems.merged_orders,
            systems.queries,
            systems.payments.bills,
        )
        return {what: times for source in sources for what, times in source.did.items()}

    def _phase(self) -> str:
        if not self._systems.buyers.ordered:
            return "stocking"
        return "draining" if self._systems.placed_all else "ordering"

    def _rate(self) -> float:
        (then, before), (at, count) = self._created[0], self._created[-1]
        return (count - before) / (at - then) if at > then else 0.0
