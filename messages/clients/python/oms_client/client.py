"""Sends commands, facts and queries to oms, and reads what comes back. It needs pika, and nothing of oms."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pika

ANSWER_SECONDS = 30.0
PREFETCH_MESSAGES = 100
DELIVERIES_MAX = 1_000_000  # RabbitMQ 4 gives a message up after 20, unless the queue says another number


@dataclass(frozen=True)
class Answer:
    """What came back: an outcome or a reply."""

    type: str
    body: dict[str, Any]
    duplicate: bool = False


@dataclass(frozen=True)
class ReceivedEvent:
    """One event. Drop a `message_id` that you have seen: events come at least once."""

    type: str
    body: dict[str, Any]
    message_id: str
    correlation_id: str


class RefusedError(Exception):
    """oms refuses a command or a query. Decide by the code; the message is for people."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.code = answer, str(answer.body["code"])
        self.details: dict[str, Any] = answer.body.get("details", {})
        path = answer.body.get("path") or self.details.get("path")  # of a body that could not be read
        super().__init__(f"{self.code}: {f'{path}: ' if path else ''}{answer.body.get('message', '')}")


class NoAnswerError(Exception):
    """No answer came in time. oms has the message: send it again with the same message id and request id."""

    def __init__(self, message_id: str) -> None:
        super().__init__(f"no answer to {message_id}")
        self.message_id = message_id


class Client:
    """One connection of a broker user such as `oms-storefront`. It is used by one thread.

    Every publish is confirmed: when a method returns, the broker keeps the message. If it raises another exception than
    RefusedError, connect again and send the same message with the same `message_id`.
    """

    def __init__(self, url: str, *, prefix: str = "oms", sign: bool = True) -> None:
        """Connect. Without `sign` messages do not name the broker user, so they have no role."""
        parameters = pika.URLParameters(url)
        self._user = parameters.credentials.username if sign else None
        self._prefix = prefix
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._replies = self._channel.queue_declare("", exclusive=True).method.queue
        self._awaited = ""
        self._arrived: Answer | None = None
        self._channel.basic_consume(self._replies, self._keep, auto_ack=True)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def command(
        self, kind: str, body: Mapping[str, Any], *, message_id: str | None = None, seconds: float = ANSWER_SECONDS
    ) -> Answer:
        """Send a command such as `order.create`, and return its outcome. Raises RefusedError or NoAnswerError.

        Its request id makes it happen once: keep it with what you want, and send it again whenever you are in doubt.
        """
        return self._ask("commands", kind, body, message_id, seconds)

    def query(self, kind: str, body: Mapping[str, Any], *, seconds: float = ANSWER_SECONDS) -> Answer:
        """Ask a query such as `order.get`, and return the reply.

        Raises RefusedError, or NoAnswerError: then ask again.
        """
        return self._ask("queries", kind, body, None, seconds)

    def fact(self, kind: str, body: Mapping[str, Any], *, message_id: str | None = None) -> str:
        """Report a fact such as `payment.result`; return its message id. A fact has no outcome."""
        return self._publish("commands", kind, body, message_id, None)

    def _ask(self, exchange: str, kind: str, body: Mapping[str, Any], message_id: str | None, seconds: float) -> Answer:
        self._awaited, self._arrived = message_id or str(uuid.uuid4()), None
        self._publish(exchange, kind, body, self._awaited, self._replies)
        deadline = time.monotonic() + seconds
        while (answer := self._arrived) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoAnswerError(self._awaited)
            self._connection.process_data_events(time_limit=left)
        if "code" in answer.body:  # only refusals have one
            raise RefusedError(answer)
        return answer

    def _publish(
        self, exchange: str, kind: str, body: Mapping[str, Any], message_id: str | None, reply_to: str | None
    ) -> str:
        message_id = message_id or str(uuid.uuid4())
        about = pika.BasicProperties(
            type=f"{kind}.v1",
            message_id=message_id,
            correlation_id=message_id,
            content_type="application/json",
            delivery_mode=2,
            user_id=self._user,
            reply_to=reply_to,
        )
        self._channel.basic_publish(f"{self._prefix}.{exchange}", kind, json.dumps(body).encode(), about)
        return message_id

    def _keep(self, _channel: Any, _method: Any, about: Any, content: bytes) -> None:
        if about.correlation_id != self._awaited:
            return  # it came too late, or once more
        body = json.loads(content)
        self._arrived = Answer(about.type, body, bool(body.get("duplicate")))


def new_request_id() -> str:
    """Return a request id for a command. Store it before you send the command."""
    return str(uuid.uuid4())


def events(
    url: str, queue: str, *keys: str, prefix: str = "oms", seconds: float | None = None
) -> Iterator[ReceivedEvent]:
    """Return the events for a durable queue `client.<role>.*`, as the user `oms-<role>-events`, bound to these keys.

    The queue takes events from now on, also while nobody reads. An event is acknowledged when the next one is wanted,
    so one whose handling raises comes again. Without an event for `seconds` it ends.
    """
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERIES_MAX}
    channel.queue_declare(queue, durable=True, arguments=arguments)
    for key in keys:
        channel.queue_bind(queue, f"{prefix}.events", key)
    channel.basic_qos(prefetch_count=PREFETCH_MESSAGES)
    return _arriving(connection, channel, queue, seconds)


def _arriving(connection: Any, channel: Any, queue: str, seconds: float | None) -> Iterator[ReceivedEvent]:
    try:
        for method, about, content in channel.consume(queue, inactivity_timeout=seconds):
            if method is None:
                return
            yield ReceivedEvent(about.type, json.loads(content), about.message_id, about.correlation_id)
            channel.basic_ack(method.delivery_tag)
    finally:
        connection.close()
