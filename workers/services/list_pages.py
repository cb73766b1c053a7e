"""What all answers with pages of a list share: checks of a query, where its page begins, and the cursor after it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from db.pool import Transaction
from messages.base import Actor, QueryRejected
from workers.domain.codes import Code
from workers.domain.pages import PageStart, cursor_of, page_start

P = TypeVar("P")
R = TypeVar("R")
Finder = Callable[[Transaction, Sequence[P]], Awaitable[list[list[int]]]]
LONG_AGO, NEVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
OLDEST = PageStart(LONG_AGO, 0)
"""The start of the first page of a list that goes from old to new."""
NO_ORDER = -1
"""The id of an order that does not exist: it stands for the name of an unknown one."""


class PageQuery(Protocol):
    """A query for a page of a list."""

    @property
    def actor(self) -> Actor: ...
    @property
    def limit(self) -> int: ...
    @property
    def cursor(self) -> str | None: ...

    def model_dump_json(self, *, exclude: set[str]) -> str: ...


class ListQuery(PageQuery, Protocol):
    """A query for a page of a list that may keep only some states."""

    @property
    def states(self) -> tuple[str, ...]: ...


def invalid(name: str, why: str) -> QueryRejected:
    """Reject a query because of this field."""
    return QueryRejected(code=Code.ORDER_PARAM_INVALID, message=why, path=f"$.{name}")


def refuse_page(body: ListQuery, things: str, size_max: int, states: Collection[str]) -> QueryRejected | None:
    """Return what is wrong with the size of the page or with the states that it names, or None."""
    if not 1 <= body.limit <= size_max:
        return invalid("limit", f"a page has 1 to {size_max} {things}")
    if unknown := sorted(set(body.states) - set(states)):
        return invalid("states", f"{unknown[0]} is no state; the states are {', '.join(states)}")
    return None


def start_of(body: PageQuery, first: PageStart) -> PageStart | QueryRejected:
    """Return where the page begins: at `first`, or after the page of the same list whose cursor the query names."""
    start = first if body.cursor is None else page_start(body.cursor, _filter(body))
    return start or invalid("cursor", "it is not the next_cursor of a page of the same list; begin without a cursor")


def size_of(body: PageQuery) -> int:
    """Return how many entries to read: one more than the page shows tells whether there is a next page."""
    return body.limit + 1


def shown_of(body: PageQuery, entries: Sequence[R], place: Callable[[R], PageStart]) -> tuple[Sequence[R], str | None]:
    """Return the entries of the page, and the cursor of the next page if there are more.

    `place` tells where an entry stands in the list.
    """
    shown = entries[: body.limit]
    return shown, cursor_of(place(shown[-1]), _filter(body)) if len(entries) > body.limit else None


async def find_by_kind(
    tx: Transaction, pages: Sequence[P | QueryRejected], kind_of: Callable[[P], str], finders: Mapping[str, Finder[P]]
) -> list[list[int]]:
    """Return the ids of each page, and none for a rejected one. The pages of one kind take one statement."""
    found: list[list[int]] = [[] for _ in pages]
    kinds: dict[str, list[tuple[int, P]]] = {}
    for place, page in enumerate(pages):
        if not isinstance(page, QueryRejected):
            kinds.setdefault(kind_of(page), []).append((place, page))
    for kind, those in kinds.items():
        for (place, _), ids in zip(those, await finders[kind](tx, [page for _, page in those]), strict=True):
            found[place] = ids
    return found


def _filter(body: PageQuery) -> str:
    return body.model_dump_json(exclude={"cursor", "limit", "actor"}) + body.actor.type
