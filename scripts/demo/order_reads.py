"""Buyers read their orders while these change, and must find what they know from events."""

import random
import time
from collections import Counter
from typing import Any

from scripts.amqp_client import ReceivedMessage
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.command_outcomes import Latency
from scripts.demo.queries import Queries

CHANCES = {"reads the order": 0.3, "lists the orders": 0.1}
DELETABLE = "completed"
"""A buyer does not find an order again that was deleted, which only completed ones are."""


class OrderReads:
    """After an event, some buyers read the order with order.get or order.list, and compare it with the event."""

    def __init__(self, queries: Queries, tasks: BackgroundTasks) -> None:
        self.did: Counter[str] = Counter()
        self.unexpected: list[str] = []
        self.latency = Latency()
        self._queries, self._tasks = queries, tasks

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of an order: by chance its buyer reads."""
        if random.random() < CHANCES["reads the order"]:
            self._tasks.start(self._get(received.body))
        if random.random() < CHANCES["lists the orders"]:
            self._tasks.start(self._list(received.body))

    async def _get(self, event: dict[str, Any]) -> None:
        about = {"actor": _buyer(event), "order": event["order_id"], "min_version": event["version"]}
        answer = await self._request("order.get.v1", about)
        self.did["order.get"] += 1
        body = answer.body
        if answer.type == "query.rejected.v1":
            self._refused(event, body)
        elif body["version"] < event["version"] or body["user_id"] != event["user_id"]:
            self.unexpected.append(f"version {event['version']} of {event['order_id']} is read as {body['version']}")
        elif body["version"] == event["version"] and body["state"] != event["state"]:
            self.unexpected.append(f"order {event['order_id']} is {event['state']} and is read as {body['state']}")

    async def _list(self, event: dict[str, Any]) -> None:
        answer = await self._request("order.list.v1", {"actor": _buyer(event), "user_id": event["user_id"]})
        self.did["order.list"] += 1
        if answer.type == "query.rejected.v1":
            self._refused(event, answer.body)
            return
        orders = answer.body["orders"]
        if any(order["user_id"] != event["user_id"] for order in orders):
            self.unexpected.append(f"{event['user_id']} sees orders of other users")
        listed = event["order_id"] in {order["order_id"] for order in orders}
        if not listed and event["parent_id"] is None and event["state"] != DELETABLE:
            self.unexpected.append(f"{event['user_id']} does not see the order {event['order_id']}")

    async def _request(self, type_: str, body: dict[str, Any]) -> ReceivedMessage:
        since = time.monotonic()
        answer = await self._queries.request(type_, body)
        self.latency.add(time.monotonic() - since)
        return answer

    def _refused(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        self.did[f"refused: {body['code']}"] += 1
        if event["state"] != DELETABLE:
            self.unexpected.append(f"order {event['order_id']}, which is {event['state']}: {body['code']}")


def _buyer(event: dict[str, Any]) -> dict[str, str]:
    return {"type": "user", "id": event["user_id"]}
