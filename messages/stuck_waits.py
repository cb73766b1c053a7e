"""The query about everything that waits too long, and its answer. Operators alone ask."""

from typing import Annotated, ClassVar

from pydantic import Field

from messages.base import Actor, AnyInt, ExternalId, Moment, Part, Query, Reply
from messages.explanations import AwaitedShown
from messages.roles import Role

PAGE_MAX_WAITS = 100
STUCK_KINDS_MAX = 40


class OrderStuck(Query):
    """Ask for a page of what waits longer than the limit of its kind, the oldest first.

    `what` keeps only what waits for one of these, as `what` of order.explained names them. `longer_than_seconds` takes
    the place of every limit. A wait that a timer ends counts from the time of the timer, any other from its beginning.
    """

    TYPE: ClassVar[str] = "order.stuck.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    actor: Actor
    what: Annotated[tuple[ExternalId, ...], Field(max_length=STUCK_KINDS_MAX)] = ()
    longer_than_seconds: AnyInt | None = None
    limit: AnyInt = 20
    cursor: ExternalId | None = None


class StuckShown(AwaitedShown):
    """One thing that waits too long, with the fields that order.explained shows of it, and the limit that it passed."""

    order_no: str | None
    state: str
    longer_than_seconds: int


class StuckCount(Part):
    """How many things wait for `what` longer than the limit, at most 10,000, and since when the oldest does."""

    what: str
    count: int
    oldest: Moment
    longer_than_seconds: int


class OrderStuckListed(Reply):
    """The answer to order.stuck: a page of what waits, and `counts` of all pages by what is awaited.

    `next_cursor` is the cursor of the next page, or null after the last one. Of more than 10,000 things that wait for
    the same, pages show 10,000 of the oldest.
    """

    TYPE: ClassVar[str] = "order.stuck_listed.v1"
    stuck: tuple[StuckShown, ...]
    counts: tuple[StuckCount, ...]
    next_cursor: str | None


QUERIES: tuple[type[Query], ...] = (OrderStuck,)
