"""Turns a row of the outbox into an AMQP publish: exchange, routing key, properties and decrypted body."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from messages.topology import Names
from outbox.amqp import Properties
from outbox.insertion import in_clear

if TYPE_CHECKING:
    from asyncpg import Record

APP_ID = "oms"


@dataclass(frozen=True)
class Rendered:
    """The arguments of one publish."""

    exchange: str
    routing_key: str
    properties: Properties
    body: bytes
    mandatory: bool


class Renderer:
    """Renders rows for publishing as the broker user `user`. The broker refuses any other value in `user_id`."""

    def __init__(self, names: Names, *, user: str, delay_plugin: bool = False) -> None:
        self._names = names
        self._user = user
        self._delay_plugin = delay_plugin

    def render(self, row: "Record") -> Rendered:
        """Render one row. Raises db.cipher.CipherError if this process lacks the key of its body."""
        headers: dict[str, Any] = orjson.loads(row["headers"])
        exchange, routing_key, mandatory = self._address(row, headers)
        properties = Properties(
            content_type="application/json",
            headers=headers,
            delivery_mode=2,
            correlation_id=row["correlation_id"],
            message_id=row["message_id"],
            timestamp=row["created_at"],
            message_type=row["type"],
            user_id=self._user,
            app_id=APP_ID,
        )
        return Rendered(exchange, routing_key, properties, in_clear(row), mandatory)

    def _address(self, row: "Record", headers: dict[str, Any]) -> tuple[str, str, bool]:
        names, key, must_route = self._names, row["routing_key"], row["must_route"]
        match row["destination"]:
            case "internal":
                return names.internal, key, must_route
            case "events":
                return names.events, key, must_route
            case "queue":
                return "", names.queue(key), must_route
            case "dead":
                return names.dlx, names.queue(key), must_route
            case "reply":
                return "", key, must_route
            case "delay":
                return self._delayed(key, headers, must_route)
        raise AssertionError(f"unknown destination {row['destination']}")

    def _delayed(self, key: str, headers: dict[str, Any], must_route: bool) -> tuple[str, str, bool]:
        tier, _, queue = key.partition(".")
        routing_key = f"{tier}.{self._names.queue(queue)}"
        if not self._delay_plugin:
            return self._names.delay, routing_key, must_route
        headers["x-delay"] = int(tier.removesuffix("s")) * 1000
        return self._names.delay_plugin, routing_key, False  # the plugin returns every mandatory message
