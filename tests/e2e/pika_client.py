"""What other teams write who take no client of ours: pika, JSON, and the names of the wire.

foreign_shop.py drives it by the methods of oms_client.
"""

import json
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pika


class PikaRefusalError(Exception):
    """The answer has a code."""

    def __init__(self, answer: SimpleNamespace) -> None:
        super().__init__(answer.body["code"])
        self.answer = answer


class PikaClient:
    """One connection of a broker user, with a queue for its answers that the broker names."""

    def __init__(self, url: str, *, prefix: str, sign: bool) -> None:
        parameters = pika.URLParameters(url)
        self.user = parameters.credentials.username if sign else None
        self.prefix = prefix
        self.channel = pika.BlockingConnection(parameters).channel()
        self.channel.confirm_delivery()
        self.inbox = self.channel.queue_declare("", exclusive=True).method.queue
        self.answers = self.channel.consume(self.inbox, auto_ack=True, inactivity_timeout=30)

    def fact(self, kind: str, body: dict[str, Any], exchange: str = "commands", **more: str) -> str:
        message_id = uuid.uuid4().hex
        about = pika.BasicProperties(
            type=f"{kind}.v1", message_id=message_id, delivery_mode=2, user_id=self.user, **more
        )
        self.channel.basic_publish(f"{self.prefix}.{exchange}", kind, json.dumps(body).encode(), about)
        return message_id

    def command(self, kind: str, body: dict[str, Any], exchange: str = "commands", **_: Any) -> SimpleNamespace:
        sent = self.fact(kind, body, exchange, reply_to=self.inbox)
        method, about, content = next(self.answers)
        if method is None or about.correlation_id != sent:
            raise SystemExit(f"no answer to {kind}")
        answer = SimpleNamespace(type=about.type, body=json.loads(content))
        if "code" in answer.body:
            raise PikaRefusalError(answer)
        return answer

    def query(self, kind: str, body: dict[str, Any], **_: Any) -> SimpleNamespace:
        return self.command(kind, body, "queries")


def events(url: str, queue: str, *keys: str, prefix: str, seconds: float) -> Iterator[SimpleNamespace]:
    """Return the events for a durable queue, from now on."""
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    for key in keys:
        channel.queue_bind(queue, f"{prefix}.events", key)
    arriving = channel.consume(queue, auto_ack=True, inactivity_timeout=seconds)
    return (SimpleNamespace(type=about.type) for method, about, _ in arriving if method is not None)


Client, RefusedError = PikaClient, PikaRefusalError
