"""Answers order.stuck: everything that waits too long, each with the row that order.explain shows of it.

A statement finds what waits and since when; what it waits for, from whom, until when, and what moves it, comes from the
explanation of its order. A batch takes a fixed number of statements.
"""

from collections.abc import Iterable, Mapping, Sequence

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.stuck_waits import PAGE_MAX_WAITS, OrderStuck, OrderStuckListed, StuckCount, StuckShown
from workers import shop
from workers.domain.codes import Code
from workers.domain.pages import PageStart
from workers.services import order_explanations
from workers.services.list_pages import OLDEST, invalid, shown_of, size_of, start_of
from workers.store import stuck_waits
from workers.store.stuck_waits import FoundWaits, StuckPage, StuckRow
from workers.views import loading
from workers.views.awaits import Awaited
from workers.views.explanation import awaited
from workers.views.wait_limits import LIMITS, limit_seconds, which
from workers.views.whole import Whole

OPERATORS_ALONE = QueryRejected(code=Code.AUTH_FORBIDDEN, message="only an operator may ask for what waits too long")
LIMIT_MAX_SECONDS = 10 * 365 * 86_400
NO_PAGE = StuckPage({}, OLDEST, 0, {})


async def answer_stuck(tx: Transaction, items: Sequence[Envelope[OrderStuck]]) -> list[Reply]:
    """Answer each query, in order."""
    pages = [page_of(item.body, shop.current().watch.stuck_after_seconds) for item in items]
    found = await stuck_waits.find(tx, [NO_PAGE if isinstance(page, QueryRejected) else page for page in pages])
    explained = await explain(tx, (row.order_id for one in found for row in one.rows))
    return [
        page if isinstance(page, QueryRejected) else _listed(item.body, page, waits, explained)
        for item, page, waits in zip(items, pages, found, strict=True)
    ]


def page_of(body: OrderStuck, changed: Mapping[str, int]) -> StuckPage | QueryRejected:
    """Return the page that a query names, or why there is none; `changed` has the limits of the settings. No I/O."""
    if body.actor.type == "user":
        return OPERATORS_ALONE
    if not 1 <= body.limit <= PAGE_MAX_WAITS:
        return invalid("limit", f"a page has 1 to {PAGE_MAX_WAITS} waits")
    if unlisted := sorted(set(body.what) - set(LIMITS)):
        return invalid("what", f"nothing waits for {unlisted[0]}; what is awaited is {', '.join(LIMITS)}")
    longer = body.longer_than_seconds
    if longer is not None and not 0 <= longer <= LIMIT_MAX_SECONDS:
        return invalid("longer_than_seconds", f"a wait lasts 0 to {LIMIT_MAX_SECONDS} seconds")
    start = start_of(body, OLDEST)
    if isinstance(start, QueryRejected):
        return start
    wanted = [what for what in LIMITS if not body.what or what in body.what]
    limits: dict[str, int] = {what: limit_seconds(what, changed) if longer is None else longer for what in wanted}
    return StuckPage(limits, start, size_of(body), {})


Explained = Mapping[tuple[int, str, str], tuple[Whole, Awaited]]


async def explain(tx: Transaction, order_ids: Iterable[int]) -> Explained:
    """Return what each order waits for, and the order: by its id, what is awaited, and which one of that."""
    wholes = await loading.read_all(tx, order_ids)
    context = await order_explanations.read(tx, wholes.values(), ())
    return {
        (one.order_id, one.what, which(one)): (whole, one)
        for whole in wholes.values()
        for one in awaited(whole, context.situations)
        if one.order_id == whole.head.id
    }


def _listed(body: OrderStuck, page: StuckPage, found: FoundWaits, explained: Explained) -> OrderStuckListed:
    """Build order.stuck_listed. There is one row more than the page shows if another page follows."""
    rows, cursor = shown_of(body, found.rows, lambda row: PageStart(row.since, row.key))
    shown = (_shown(row, page, explained) for row in rows)
    counts = (
        StuckCount(what=what, count=total.count, oldest=total.oldest, longer_than_seconds=page.limits[what])
        for what, total in sorted(found.totals.items(), key=lambda one: (one[1].oldest, one[0]))
    )
    return OrderStuckListed(
        stuck=tuple(one for one in shown if one is not None), counts=tuple(counts), next_cursor=cursor
    )


def _shown(row: StuckRow, page: StuckPage, explained: Explained) -> StuckShown | None:
    """Show a row as its order's explanation does; None if the order does not wait for it."""
    whole, one = explained.get((row.order_id, row.what, row.which), (None, None))
    if whole is None or one is None:
        return None
    shown = order_explanations.show_awaited(one, "operator")
    return StuckShown(
        **dict(shown),
        order_no=whole.head.order_no,
        state=whole.head.state.value,
        longer_than_seconds=page.limits[row.what],
    )
