"""A person at a second terminal of the demo, who orders beside the crowd with the URLs of the file that it prints."""

import json
import shlex
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pika

USER = "ada"


class Person:
    """Publishes commands over the wire and waits for their outcomes."""

    def __init__(self, second_terminal: Path) -> None:
        lines = second_terminal.read_text("utf-8").splitlines()
        exports = [shlex.split(line)[1].partition("=") for line in lines if line.startswith("export OMS_")]
        self.variables = {name: value for name, _, value in exports}

    def send(self, role: str, type_: str, body: Mapping[str, Any], *, answered: bool = True) -> dict[str, Any]:
        """Publish as the broker user of a role; return the outcome, or nothing of a fact, which has none."""
        parameters = pika.URLParameters(self.variables[f"OMS_{role}_AMQP_URL"])
        about = pika.BasicProperties(message_id=uuid.uuid4().hex, type=f"{type_}.v1", delivery_mode=2)
        about.user_id = parameters.credentials.username
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            if answered:
                about.reply_to = channel.queue_declare("", exclusive=True).method.queue
            exchange = f"{self.variables['OMS_PREFIX']}.commands"
            channel.basic_publish(exchange, type_, json.dumps(body).encode(), about)
            if not answered:
                return {}
            _, _, outcome = next(channel.consume(about.reply_to, auto_ack=True, inactivity_timeout=60))
        found: dict[str, Any] = json.loads(outcome)
        return found

    def stock(self, sku_id: str, warehouse: str) -> None:
        """Put a product on sale of which a warehouse has ten."""
        sku = {
            "sku_id": sku_id,
            "spu_id": sku_id,
            "name": "Tea",
            "status": "on_sale",
            "price": 6_000,
            "currency": "USD",
        }
        self.send("CATALOGUE", "sku.upsert", sku | {"revision": 1})
        receipt = {"ref": f"note-{sku_id}", "sku_id": sku_id, "warehouse": warehouse, "qty": 10}
        self.send("WAREHOUSE", "stock.receive", receipt)

    def order(self, sku_id: str, warehouse: str) -> dict[str, Any]:
        """Order one; return the order.created."""
        body = {
            "request_id": uuid.uuid4().hex,
            "actor": {"type": "user", "id": USER},
            "user_id": USER,
            "channel": "pc",
            "currency": "USD",
            "items": [{"sku_id": sku_id, "qty": 1, "warehouse": warehouse}],
            "address": {
                "receiver": "Ada",
                "phone": "+44 20 7946 0000",
                "country": "GB",
                "detail": "12 St James's Square",
            },
            "expected_pay_amount": 6_000,
        }
        return self.send("STOREFRONT", "order.create", body)

    def pay(self, order: Mapping[str, Any]) -> None:
        """Report the payment of an order, as the shop's payment service does."""
        amounts = order["amounts"]
        fact = {"order_id": order["order_id"], "provider": "own-pay", "trade_no": uuid.uuid4().hex, "kind": "captured"}
        fact |= {"amount": amounts["payable"], "currency": amounts["currency"]}
        self.send("PAYMENTS", "payment.result", fact | {"occurred_at": datetime.now(UTC).isoformat()}, answered=False)

    def request_of(self, warehouse: str) -> dict[str, Any]:
        """Take the next instruction from the queue of a warehouse, as its client does."""
        parameters = pika.URLParameters(self.variables["OMS_WAREHOUSE_EVENTS_AMQP_URL"])
        with pika.BlockingConnection(parameters) as connection:
            queue = f"{self.variables['OMS_PREFIX']}.warehouse.{warehouse}"
            _, about, body = next(connection.channel().consume(queue, auto_ack=True, inactivity_timeout=60))
        found: dict[str, Any] = {"type": about.type} | json.loads(body)
        return found
