"""Orders: a search, one order with its timeline and explanation drawn, and everything that waits too long."""

from datetime import UTC, datetime
from urllib.parse import quote

from aiohttp import web

from scripts.commands.durations import seconds_in
from scripts.commands.order import order_page, revealed_page
from scripts.commands.output import WIDE_COLUMNS
from scripts.commands.stuck import HINT, ask_stuck
from scripts.console.forms import reason_and_actor
from scripts.console.order_drawing import awaited_cards, marks_of, stretches_of
from scripts.console.rendering import page, trimmed, with_links
from scripts.screens.order_loading import OrderPage
from scripts.screens.order_screen import summary
from scripts.screens.order_search import Search, moment_of, search
from scripts.screens.order_tables import tables
from scripts.screens.state_meanings import awaited_text
from scripts.screens.stuck_screen import next_command
from workers.domain.order import State
from workers.views.wait_limits import LIMITS

ORDERS_SHOWN, STUCK_SHOWN = 20, 50
NEWEST = "7d"
"""Without any filter the search shows the orders of so long."""


async def find(request: web.Request) -> web.Response:
    """Find orders by any number, or by user, state, SKU and time. A number of one order leads to it."""
    given = {name: request.query.get(name, "").strip() for name in ("name", "user", "state", "sku", "from", "cursor")}
    filtered = any(given[name] for name in ("user", "state", "sku", "from", "cursor"))
    since = given["from"] or ("" if filtered or given["name"] else NEWEST)
    if since:  # as a time, because the cursor of a page belongs to it
        since = moment_of(since, "--from", datetime.now(UTC)).isoformat()
    wanted = Search(
        user_id=given["user"] or None,
        states=(given["state"],) if given["state"] else (),
        sku_id=given["sku"] or None,
        created_from=since or None,
        limit=ORDERS_SHOWN,
        cursor=given["cursor"] or None,
    )
    found = (await search(given["name"] or None, wanted)).listed
    if given["name"] and len(found.orders) == 1:
        raise web.HTTPSeeOther(f"/orders/{found.orders[0].order_id}")
    return page(
        request, "orders.html", orders=found.orders, given=given, since=since, states=list(State),
        cursor=found.next_cursor,
    )  # fmt: skip


async def order(request: web.Request) -> web.Response:
    """Show one order, its address masked."""
    return _order_page(request, await order_page(request.match_info["name"]))


async def reveal(request: web.Request) -> web.Response:
    """Record that a person sees the address, and show the order with it."""
    reason, actor = await reason_and_actor(request, "it is recorded who sees an address in clear, when and why")
    return _order_page(request, await revealed_page(request.match_info["name"], reason, actor))


def _order_page(request: web.Request, found: OrderPage) -> web.Response:
    return page(
        request,
        "order.html",
        order=found.order,
        explained=found.explained,
        now=found.now,
        revealed=found.address is not None,
        summary=[(name, value) for name, value in summary(found) if value],
        cards=awaited_cards(found),
        stretches=stretches_of(found),
        marks=marks_of(found),
        tables=[with_links(trimmed(one)) for one in tables(found, WIDE_COLUMNS) if one.rows],
    )


async def stuck(request: web.Request) -> web.Response:
    """List what waits too long, the oldest first, with what to type next."""
    kinds = [kind for kind in request.query.getall("kind", []) if kind]
    longer = request.query.get("longer-than", "").strip()
    seconds = seconds_in(longer, hint=HINT) if longer else None
    found, now = await ask_stuck(kinds, seconds, STUCK_SHOWN, request.query.get("cursor") or None)
    rows = [
        {"wait": one, "text": awaited_text(one), "next": next_command(one), "href": _href(next_command(one))}
        for one in found.stuck
    ]
    return page(
        request, "stuck.html", found=found, rows=rows, now=now, kinds=kinds, longer=longer, all_kinds=list(LIMITS),
        typed=_stuck_command(kinds, longer),
    )  # fmt: skip


def _href(command: str) -> str:
    """Return the page of the console that shows what a command shows; empty if there is none."""
    match command.split():
        case ["oms", "dead-letters", "list", "--queue", queue]:
            return f"/letters?queue={quote(queue)}"
        case ["oms", "order", "show", name]:
            return f"/orders/{quote(name)}"
        case ["oms", "cases", "show", name]:
            return f"/cases/{quote(name)}"
    return ""


def _stuck_command(kinds: list[str], longer: str) -> str:
    words = [*(f"--kind {kind}" for kind in kinds), *([f"--longer-than {longer}"] if longer else [])]
    return " ".join(["oms stuck", *words])


ROUTES = (
    web.get("/orders", find),
    web.get("/orders/{name}", order),
    web.post("/orders/{name}/reveal", reveal),
    web.get("/stuck", stuck),
)
