"""Shows an archived order: the same answer that archived_order.get gives to an operator."""

import shlex
from datetime import UTC, datetime

from messages.archived_orders import ArchivedLine, ArchivedOrderGet, ArchivedOrderShown
from messages.base import Actor
from messages.envelope import Envelope
from scripts.commands.connections import connected, person
from scripts.commands.problems import Code, CommandError
from scripts.screens.layout import Column, Lines, fields, section, title
from scripts.screens.order_loading import ANONYMOUS
from scripts.screens.order_search import NAME_MAX
from scripts.screens.timeline import text_of, when
from workers.services.archive_answers import answer_archived


async def read(order: str) -> ArchivedOrderShown:
    """Return what is kept of the order with this id, number or UUID. Raises CommandError if none is archived."""
    who = Actor(type="operator", id=person()[:NAME_MAX])
    if len(order) <= NAME_MAX:
        body = ArchivedOrderGet(actor=who, order=order)
        item = Envelope(body, message_id=ANONYMOUS, correlation_id=ANONYMOUS, occurred_at=datetime.now(UTC))
        async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
            (reply,) = await answer_archived(tx, [item])
        if isinstance(reply, ArchivedOrderShown):
            return reply
    why = "no order of that id, number or UUID is archived"
    raise CommandError(Code.NOTHING, f"no archived order {order}", why=why, hint=f"oms order show {shlex.quote(order)}")


def screen(shown: ArchivedOrderShown, width: int) -> Lines:
    """Return the lines of the screen."""
    order = shown.order
    pairs = [
        ("id", order.order_id),
        ("number", order.order_no),
        ("buyer", order.user_id),
        ("part of", order.parent_id),
        ("payable", text_of(order.payable)),
        ("captured", text_of(order.captured)),
        ("refunded", text_of(order.refunded)),
        ("created (UTC)", when(order.created_at, width)),
        ("ended (UTC)", when(order.ended_at, width)),
        ("archived (UTC)", when(order.archived_at, width)),
    ]
    head = title(f"archived order, {order.state}", width)
    return [*head, *fields([pair for pair in pairs if pair[1] is not None], width), *_lines(shown.lines, width)]


def _lines(lines: tuple[ArchivedLine, ...], width: int) -> Lines:
    columns = [
        Column("line", right=True),
        Column("sku", least=8),
        Column("name", least=12, cut=True),
        Column("units", right=True),
        Column("given back", right=True),
    ]
    return section("lines", columns, [(x.line_no, x.sku_id, x.name, x.qty, x.refunded_qty) for x in lines], width)
