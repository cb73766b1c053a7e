"""After-sale cases: a list, and one with what it is about, its money, its steps and what it waits for."""

from shlex import quote

from aiohttp import web

from scripts.commands.cases import ask_cases, read_case
from scripts.commands.order import order_page
from scripts.commands.output import WIDE_COLUMNS
from scripts.commands.problems import CommandError
from scripts.console.forms import reason_and_actor
from scripts.console.order_drawing import AwaitedCard, awaited_cards
from scripts.console.rendering import linked_value, page, trimmed, with_links
from scripts.screens.case_screen import CASE_MEANINGS, case_summary, case_tables, cases_table

CASES_SHOWN = 50


async def find(request: web.Request) -> web.Response:
    """List cases: without any filter those that have not ended, the one that waits longest first."""
    given = {name: request.query.get(name, "").strip() for name in ("state", "user", "order", "newest", "cursor")}
    wanted = {
        "states": (given["state"],) if given["state"] else (),
        "user_id": given["user"] or None,
        "order": given["order"] or None,
        "sort": "newest" if given["newest"] else "waiting",
        "limit": CASES_SHOWN,
        "cursor": given["cursor"] or None,
    }
    found = await ask_cases(wanted)
    table = with_links(trimmed(cases_table(found.cases, WIDE_COLUMNS)))
    return page(
        request, "cases.html", table=table, given=given, states=list(CASE_MEANINGS), cursor=found.next_cursor,
        typed=_command(given),
    )  # fmt: skip


def _command(given: dict[str, str]) -> str:
    words = [f"--{name} {quote(given[name])}" for name in ("state", "user", "order") if given[name]]
    return " ".join(["oms cases list", *words, *(["--newest"] if given["newest"] else [])])


async def case(request: web.Request) -> web.Response:
    """Show one case, with what people wrote masked."""
    return await _case_page(request, reason=None, actor="")


async def reveal(request: web.Request) -> web.Response:
    """Record that a person sees what people wrote, and show the case with it."""
    reason, actor = await reason_and_actor(request, "it is recorded who sees what people wrote, when and why")
    return await _case_page(request, reason=reason, actor=actor)


async def _case_page(request: web.Request, *, reason: str | None, actor: str) -> web.Response:
    shown, now = await read_case(request.match_info["case"], reason, actor)
    return page(
        request,
        "case.html",
        case=shown,
        now=now,
        cards=await _cards(shown.order_id, shown.case_no),
        summary=[(name, linked_value(name, value)) for name, value in case_summary(shown, now) if value],
        tables=[with_links(trimmed(one)) for one in case_tables(shown, WIDE_COLUMNS) if one.rows],
        revealed=reason is not None,
    )


async def _cards(order_id: int, case_no: str) -> list[AwaitedCard]:
    """Return what the order waits for because of the case; nothing if the order is archived."""
    try:
        found = await order_page(str(order_id))
    except CommandError:
        return []
    return [card for card in awaited_cards(found) if card.awaited.case_no == case_no]


ROUTES = (
    web.get("/cases", find),
    web.get("/cases/{case}", case),
    web.post("/cases/{case}/reveal", reveal),
)
