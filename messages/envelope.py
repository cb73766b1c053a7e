"""A decoded message: the body, with what its AMQP properties and headers contain."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Generic, TypeVar

from messages.base import Message, MessageKind
from messages.roles import Role
from messages.trace_context import trace_headers

OURS_ALONE = (MessageKind.INTERNAL, MessageKind.EVENT)
"""What only our own users send. An event comes to us where a queue of ours subscribes to it."""

B_co = TypeVar("B_co", bound=Message, covariant=True)
_SENDER_BYTES = 16  # no two of a shop's senders meet by chance


@dataclass(frozen=True)
class Envelope(Generic[B_co]):
    """One message as a handler sees it; an item of a packed message looks like a message of its own.

    `message_id` is the delivery's; `index` is the item's place in a packed body (0 for a message alone).
    `user` is the broker user who first published it, validated by the broker, or None when the publisher did not say.
    `roles` are the roles that this shop gives that user, and those of its token. `subject` is whose token it is, if it
    has one, and `granted` are the token's roles; `token_fault` says why that token is not believed. `warehouses`
    and `carriers` are those for which the sender works alone, or None if it is bound to none. `sender` is the name
    under which the inbox keeps the message: the broker user, with a token also its subject.
    `attempt` counts earlier tries, 0 at first. A `repeated` command was handled before; now it is only answered again.
    A `replayed` message was a dead letter; if it is to have one try, its attempts say nothing of how long it waited.
    """

    body: B_co
    message_id: str
    correlation_id: str
    occurred_at: datetime
    index: int = 0
    packed: bool = False
    causation_id: str | None = None
    reply_to: str | None = None
    user: str | None = None
    sender: str = ""
    roles: frozenset[Role] = frozenset()
    subject: str | None = None
    token_fault: str | None = None
    granted: frozenset[Role] = frozenset()
    warehouses: frozenset[str] | None = None
    carriers: frozenset[str] | None = None
    attempt: int = 0
    repeated: bool = False
    replayed: bool = False
    traceparent: str | None = None
    tracestate: str | None = None

    @property
    def trace(self) -> dict[str, str]:
        """The headers by which what this message causes belongs to its trace; none if it has no trace."""
        return trace_headers(self.traceparent, self.tracestate) if self.traceparent else {}

    @property
    def sender_key(self) -> str:
        """The sender as tables keep it: hashed, because a person's name may be in it; empty for one without a name."""
        return blake2b(self.sender.encode(), digest_size=_SENDER_BYTES).hexdigest() if self.sender else ""

    @property
    def id(self) -> str:
        """Unique per item, also within a packed message."""
        return f"{self.message_id}/{self.index}" if self.packed else self.message_id
