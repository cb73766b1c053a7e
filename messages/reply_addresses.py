"""Decides where a reply may go: to the sender's own queues, and to no queue of another role.

Our relay may write to every queue, so a name from a message could deliver our reply to another role's queue. RabbitMQ
3.10 and 4.0 even close the connection that publishes to certain names.
"""

import re
from base64 import b64decode
from collections.abc import Collection

from messages.roles import Role

ADDRESS_BYTES_MAX = 255  # of a routing key in AMQP
DIRECT = "amq.rabbitmq.reply-to."
_MADE_BY_BROKER = re.compile(r"amq\.gen-[A-Za-z0-9_-]{22}")
_CLIENT = re.compile(r"client\.([^.]+)\.[!-~]+")
_PROCESS = re.compile(rb"\x83Xv\x00(.)(reply@[0-9]{1,10}).{12}", re.DOTALL)
"""How Erlang writes the process that consumes the replies: version 131, a pid (88), the node as an atom (118) with its
length, then the numbers of process, serial and creation. RabbitMQ 3.10, 4.0 and 4.3 make this same form."""
_KEY_BYTES = 16


def refusal(reply_to: str, user: str | None, roles: Collection[Role]) -> str | None:
    """Say why no reply may go to this address, or None if one may.

    `user` is the broker user of the message as the broker validated it, None for a message without `user_id`.
    """
    if len(reply_to.encode("utf-8", "surrogateescape")) > ADDRESS_BYTES_MAX:
        return f"it is longer than {ADDRESS_BYTES_MAX} bytes"
    if _MADE_BY_BROKER.fullmatch(reply_to) or _is_direct(reply_to):
        return None
    if (client := _CLIENT.fullmatch(reply_to)) and (client[1] in roles or client[1] == user):
        return None
    own = " or ".join(f"client.{role}.*" for role in sorted(roles)) or "no queue client.<role>.* (is user_id set?)"
    return f"it should be a queue that the broker named, or of your user: {own}"


def _is_direct(address: str) -> bool:
    """True for the form that the broker gives to `amq.rabbitmq.reply-to`. Other forms crash RabbitMQ 3.10's channel.

    That broker also closes on this form if the node is none of its own; the relay sets such a reply aside.
    """
    process, dot, key = address.removeprefix(DIRECT).partition(".")
    if not (address.startswith(DIRECT) and dot):
        return False
    try:
        found, key_bytes = _PROCESS.fullmatch(b64decode(process, validate=True)), b64decode(key, validate=True)
    except ValueError:
        return False
    return found is not None and found[1][0] == len(found[2]) and len(key_bytes) == _KEY_BYTES
