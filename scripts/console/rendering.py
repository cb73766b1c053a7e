"""Fills the templates. Every value is escaped, and no page holds a script or a style of its own."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from scripts.commands.connections import person
from scripts.commands.output import cell, plain
from scripts.commands.problems import CommandError
from scripts.commands.recorded_reasons import REASON_MAX_CHARACTERS
from scripts.console.state import STATE
from scripts.screens.layout import TitledTable
from scripts.screens.timeline import duration, moment

FOLDER = Path(__file__).parent
UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
MOODS = {
    "good": "completed delivered finished worked handled_before shipped paid replayed well accepted succeeded kept",
    "busy": "running placing awaiting_payment fulfilling reinstating under_way unsent requested processing pending"
    " reopened approved awaiting_return return_in_transit received inspecting inspect_passed reshipping refunding",
    "warn": "open paused held cancelling left_out late discarded split unreturned",
    "bad": "stopped rejected refused died_again delivery_failed failed inspect_failed refund_failed",
}
"""Mood, which is a colour -> the states that have it. Others, such as cancelled, have none; each is also a word."""
MOOD_OF = {state: mood for mood, states in MOODS.items() for state in states.split()}

LINKS = {
    ("children", "id"): "/orders/{}",
    ("dead letters (oms dead-letters show ID)", "id"): "/letters/{}",
    ("after-sale cases (oms cases show CASE)", "case"): "/cases/{}",
    ("cases", "case"): "/cases/{}",
    ("cases", "order"): "/orders/{}",
}
"""Title of a table and of its column -> the page to which its values lead."""
COMMANDS = re.compile(r"(?P<text>.*): oms order show (?P<order>\d+)")
"""What a summary says of another order -> the page of that order."""


@dataclass(frozen=True)
class WebCell:
    """One cell of a table: a value, and where a click on it leads."""

    value: Any
    href: str = ""


def environment() -> Environment:
    """Return the templates with their filters."""
    made = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined)
    made.filters |= {
        "age": age,
        "seconds": duration,
        "moment": moment,
        "number": number,
        "state": state,
        "mood": mood,
        "document": document,
        "sentence": sentence,
        "prose": prose,
        "shown": shown,
    }
    made.globals |= {"is_number": is_number, "reason_max_characters": REASON_MAX_CHARACTERS}
    return made


def page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Return a page."""
    console = request.app[STATE]
    common = {
        "known": console.guard.knows(request),
        "operate": console.guard.operate,
        "form_token": console.guard.form_token,
        "actor": person(),
        "path": request.path,
    }
    text = console.templates.get_template(template).render(**common, **values)
    return web.Response(text=text, content_type="text/html", status=status)


def age(at: datetime | None, now: datetime | None = None) -> Markup:
    """Write how long ago a time was, or is to come, in words; the exact time stands in its title."""
    if at is None:
        return Markup('<span class="none">-</span>')
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    text = f"{in_words(seconds)} ago" if seconds >= 0 else f"in {in_words(-seconds)}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), moment(at), text)


def in_words(seconds: float) -> str:
    """Write a duration in its largest unit: 40 seconds, 3 minutes, 2 days."""
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 2 * size), UNITS[-1])
    count = int(seconds // size)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def number(value: int | None) -> str:
    """Write a number with commas between thousands."""
    return "-" if value is None else f"{value:,}"


def is_number(value: Any) -> bool:
    """Say whether a value stands at the right of its column."""
    if isinstance(value, WebCell):
        return is_number(value.value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def state(word: str | None) -> Markup:
    """Write a state as a word on its colour."""
    if word is None:
        return Markup('<span class="none">-</span>')
    return Markup('<span class="state {}">{}</span>').format(mood(word), word.replace("_", " "))


def mood(word: str) -> str:
    """Return the mood of a state; plain if it has none."""
    return MOOD_OF.get(word.partition(",")[0], "plain")


def document(value: Any) -> str:
    """Write a value as indented JSON; a text as it is, without characters that hide."""
    if isinstance(value, str):
        return visible(value)
    return orjson.dumps(plain(value), default=str, option=orjson.OPT_INDENT_2).decode()


def sentence(problem: CommandError) -> str:
    """Write what happened as the first sentence of a page."""
    text = visible(str(problem))
    return text[:1].upper() + text[1:]


def prose(text: str) -> Markup:
    """Write a sentence of a table, in which backticks enclose what is typed."""
    parts = [
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def visible(text: str) -> str:
    """Escape the characters that have no shape, but for line ends."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


def shown(value: Any) -> Markup | str:
    """Write one cell of a table."""
    if isinstance(value, WebCell):
        text = shown(value.value)
        return Markup('<a href="{}">{}</a>').format(value.href, text) if value.href else text
    if isinstance(value, datetime):
        return age(value)
    if value is None or value == "":
        return Markup('<span class="none">-</span>')
    return escape(cell(value))


def linked(value: Any, template: str) -> Any:
    """Return a value with the address that its column's template makes of it."""
    return WebCell(value, template.format(value)) if template and value not in (None, "", "-") else value


def linked_value(name: str, value: Any) -> Any:
    """Return a value of a summary with the page of the order that it names."""
    found = COMMANDS.fullmatch(value) if name in ("order", "exchange") else None
    return WebCell(found["text"], f"/orders/{found['order']}") if found else value


def trimmed(one: TitledTable) -> TitledTable:
    """Return a table without the columns in which nothing stands."""
    kept = [place for place in range(len(one.columns)) if any(row[place] not in (None, "", ()) for row in one.rows)]
    return TitledTable(
        one.title, [one.columns[place] for place in kept], [[row[place] for place in kept] for row in one.rows]
    )


def with_links(one: TitledTable) -> TitledTable:
    """Return a table with links to the orders, cases and letters that it names."""
    templates = [LINKS.get((one.title, column.title), "") for column in one.columns]
    rows = [[linked(value, template) for value, template in zip(row, templates, strict=True)] for row in one.rows]
    return TitledTable(one.title, one.columns, rows)
