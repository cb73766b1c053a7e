"""The log has one line for each message that failed; it names the message, the cause and the place, and no value."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from structlog.testing import capture_logs

from db.pool import Transaction
from messages.envelope import Envelope
from tests.runtime.builders import DELETE, PAYMENT, delete, payment
from tests.runtime.harness import WorkerHarness, wait_until
from workers.runtime.batch import Batch
from workers.runtime.route import CallRoute, Route
from workers.telemetry import lines

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CANARY = "Ada Lovelace"
AGAIN, DEAD = "message failed, will be tried again", "message dead-lettered"
BY_TRADE = {
    "late": (AGAIN, "order_unknown", "verdict"),
    "broken": (AGAIN, "failed", "ValueError"),
    "gone": (DEAD, "order_unknown", "verdict"),
    "impossible": (DEAD, "impossible", "AssertionError"),
    "unread": (DEAD, "invalid", "int_type"),
    "untrusted": (DEAD, "untrusted_user", "untrusted_user"),
}
HEADERS = {"causation-id": "cause", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
NAMED = {"correlation_id": "flow", "causation_id": "cause", "trace_id": TRACE}


async def judge(tx: Transaction, batch: Batch[Any]) -> None:
    for item in batch:
        match item.body.trade_no:
            case "late":
                batch.retry(item, "order_unknown", f"no order of {CANARY} yet")
            case "broken":
                raise ValueError(f"{item.body.reason} is wrong")
            case "gone":
                batch.dead(item, "order_unknown", "no such order")
            case "impossible":
                raise AssertionError(f"{item.body.reason} cannot be")


async def prepare(tx: Transaction, items: Sequence[Envelope[Any]]) -> Sequence[Envelope[Any]]:
    return items


async def call(items: Sequence[Envelope[Any]]) -> Mapping[str, Any]:
    for item in items:
        with lines.about(item.id):
            called.update(structlog.contextvars.get_contextvars())
    raise ConnectionError("no route to the provider")


called: dict[str, Any] = {}


async def test_each_message_that_fails_has_one_line_which_names_it(harness: WorkerHarness) -> None:
    about: dict[str, Any] = {"correlation_id": "flow", "headers": HEADERS}
    calls = CallRoute("order-changes", judge, prepare=prepare, call=call)
    with capture_logs() as logs:
        async with harness.running(Route("payment-results", judge), calls):
            for trade, (_, reason, _) in BY_TRADE.items():
                amount = "much" if reason == "invalid" else 1
                body = payment(order_id="77", trade_no=trade, reason=CANARY, amount=amount)
                sender = harness.client if reason == "untrusted_user" else harness.own_client
                await sender.publish(PAYMENT, body, message_id=trade, **about)
            await harness.own_client.publish(DELETE, delete(order_ids=["8", "9"]), message_id="called", **about)

            async def all_have_lines() -> bool:
                return BY_TRADE.keys() | {"called"} <= {line.get("message_id") for line in logs}

            await wait_until(all_have_lines)
    found = {line["message_id"]: line for line in logs if line.get("attempt") == 0}
    paused = found.pop("called")
    assert {trade: (one["event"], one["reason"], one["error"]) for trade, one in found.items()} == BY_TRADE
    for trade, line in found.items():
        assert line.items() >= (NAMED | {"queue": "payment-results", "type": PAYMENT}).items(), trade
        assert line.get("order_id") == (None if line["error"] in ("int_type", "untrusted_user") else "77"), trade
    at = {trade: line["at"].rpartition(":")[0] for trade, line in found.items() if "at" in line}
    assert at == dict.fromkeys(("broken", "impossible"), "tests/runtime/test_lines.py")
    assert CANARY not in str(logs)
    of_call = NAMED | {"message_id": "called", "type": DELETE, "queue": "order-changes", "order_ids": ["8", "9"]}
    assert called == of_call
    waits = {"event": "a server is away, paused until it answers", "error": "UnavailableError", "messages": 1}
    assert paused.items() >= (of_call | waits).items()
