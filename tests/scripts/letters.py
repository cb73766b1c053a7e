"""Dead letters for the tests of commands."""

from typing import Any

from workers.store.dead_letters import Letter

ADDRESS = b'{"address":{"phone":"13812345678","receiver":"Wang Fang"},"qty":1}'


def letter(message_id: str, **changes: Any) -> Letter:
    """A letter of an order.create with personal data; arguments change its fields."""
    fields: dict[str, Any] = {
        "queue": "order-creation",
        "type": "order.create.v1",
        "correlation_id": None,
        "reason": "invalid",
        "error_path": "$.qty",
        "error_type": "int_type",
        "error_message": "no number",
        "fingerprint": "f",
        "attempts": 1,
        "exchange": "oms.commands",
        "routing_key": "order.create",
        "origin_user": "upstream",
        "worker_version": "1",
        "occurred_at": None,
        "first_failed_at": None,
        "last_failed_at": None,
        "body": ADDRESS,
        "headers": b'{"headers":{"note":"call 13812345678"},"reply_to":null}',
    }
    return Letter(message_id=message_id, body_hash=message_id.encode(), **fields | changes)
