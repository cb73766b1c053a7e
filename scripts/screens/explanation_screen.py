"""The screen of `oms order explain`: why an order is in its state, what it waits for, and what would move it."""

from rich.text import Text

from scripts.screens.layout import Column, Lines, fields, heading, section, title
from scripts.screens.order_loading import OrderPage
from scripts.screens.state_meanings import MEANINGS, awaited_text, start_again
from scripts.screens.timeline import ago, cause_of, group_text, replaced, sent_instead, until, when, who_of
from workers.domain.order import State


def explanation_screen(page: OrderPage, width: int) -> Lines:
    """Return the whole screen."""
    explained = page.explained
    pairs = [("means", MEANINGS[State(explained.state)])]
    if (entered := explained.entered) is not None:
        who = who_of(entered, page.order.user_id)
        pairs += [
            ("since", ago(entered.at, page.now)),
            ("by", f"{entered.trigger}, {who}"),
            ("because", cause_of(entered)),
        ]
    pairs.append(("replaces", replaced(explained.replaces) or ""))
    pairs.append(("group", group_text(explained.group, page.now) or ""))
    for one in explained.exchanges:
        pairs.append(("exchange", f"order {sent_instead(one)}, for case {one.case_no}: oms order show {one.order_id}"))
    if not explained.awaits:
        pairs.append(("waits for", "nothing"))
    steps = [(step.trigger, step.to) for step in explained.next]
    return [
        *title(f"Order {explained.order_no or explained.order_id}: {explained.state}", width),
        *fields(pairs, width),
        *_awaits(page, width),
        *section("what can move it", [Column("trigger"), Column("to")], steps, width),
        *_died(page, width),
    ]


def _awaits(page: OrderPage, width: int) -> Lines:
    lines: Lines = []
    for one in page.explained.awaits:
        whose = page.names.get(one.order_id, "")
        limit = "" if one.until is None else until(one.until, page.now)
        whose_state = "it" if one.case_no is None else "the case"
        pairs = [
            ("order", whose),
            ("for", awaited_text(one)),
            ("since", None if one.since is None else ago(one.since, page.now)),
            ("until", limit + (f", then {whose_state} is {one.otherwise}" if limit and one.otherwise else "")),
            ("moved by", ", ".join(one.moved_by)),
            ("type", start_again(one)),
        ]
        lines += [Text(), heading("it waits"), *fields(pairs, width)]
    return lines


def _died(page: OrderPage, width: int) -> Lines:
    columns = [
        Column("id", right=True),
        Column("queue", least=16),
        Column("type", least=18),
        Column("reason", least=14),
        Column("decision"),
        Column("died (UTC)", extra=True),
    ]
    rows = [
        (one.dead_letter_id, one.queue, one.type, one.reason, one.decision, when(one.died_at, width))
        for one in page.explained.died
    ]
    return section("dead letters (oms dead-letters show ID)", columns, rows, width)
