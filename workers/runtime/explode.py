"""Items of a packed message that leave it: each as a message of its own, by the outbox, in the transaction that claims
the whole."""

from datetime import UTC, datetime
from typing import Any

from messages.envelope import Envelope
from messages.topology import tier
from outbox import Announcement
from workers.runtime.decode import Work
from workers.runtime.delivery import clean
from workers.runtime.errors import Failure
from workers.runtime.policy import Policy
from workers.runtime.republish import dead_headers, retry_headers


def exploded(queue: str, work: Work) -> list[Announcement]:
    """Every item to the same queue, as often tried as the whole was. Derived ids make a second time a repeat."""
    headers = {"origin-user": work.user or "", "attempt": str(work.attempt)}
    if first_failed_at := work.delivery.text("first-failed-at"):
        headers["first-failed-at"] = clean(first_failed_at)
    return [_leaving(item, "queue", queue, headers) for item in work.envelopes]


def leaving(queue: str, work: Work, item: Envelope[Any], failure: Failure, policy: Policy) -> Announcement:
    """One item that its handler wants retried, or given up."""
    now = datetime.now(UTC)
    if policy.retries(work.attempt, failure.retry):
        key = f"{tier(policy.wait_seconds(work.attempt))}.{queue}"
        return _leaving(item, "delay", key, retry_headers(work, now))
    return _leaving(item, "dead", queue, dead_headers(work, failure, now))


def _leaving(item: Envelope[Any], destination: Any, routing_key: str, headers: dict[str, str]) -> Announcement:
    return Announcement(
        type=item.body.TYPE,
        body=item.body.__pydantic_serializer__.to_json(item.body),
        destination=destination,
        routing_key=routing_key,
        correlation_id=item.correlation_id,
        causation_id=item.causation_id,
        must_route=True,
        packable=True,
        message_id=item.id,
        occurred_at=item.occurred_at,
        headers=headers,
    )
