"""Another body for a dead letter: what it changes and what the schema says of it is shown before it is kept.

Old and new body are masked. Who wants to change the whole body sees it in clear, which is recorded as with
`oms dead-letters edit`.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

import orjson
from aiohttp import web

from scripts.commands.connections import database_user
from scripts.commands.decisions import changed_meanwhile
from scripts.commands.letter_edits import (
    LetterBodies,
    assigned,
    change_of,
    keep_edit,
    read_bodies,
    without_layout,
)
from scripts.commands.letter_views import parsed
from scripts.commands.problems import Code, CommandError
from scripts.console.forms import reason_and_actor, typed
from scripts.console.letter_plans import WHY_NEEDED
from scripts.console.rendering import document, page
from scripts.console.state import STATE

COMPARED_LINES_MAX = 2_000
"""To compare more lines line by line would hold up every other page, and the replays that the console sends."""
HOW = ("changes", "body", "original")
"""The fields of a form that say what the new body is."""


async def form(request: web.Request) -> web.Response:
    """Show the form for another body, with the one that counts, masked."""
    _refuse_reader(request)
    bodies = await read_bodies(_id_of(request), look_reason=None, note="")
    return _form_page(request, bodies, body=None)


async def reveal(request: web.Request) -> web.Response:
    """Record that a person sees the body in clear, and show the form with it."""
    _refuse_reader(request)
    reason, actor = await reason_and_actor(request, "it is recorded who sees personal data in clear, when and why")
    _text_of((await read_bodies(_id_of(request), look_reason=None, note="")).before)
    bodies = await read_bodies(_id_of(request), look_reason=reason, note=actor)
    return _form_page(request, bodies, body=_text_of(bodies.before))


def _text_of(body: bytes) -> str:
    """Return a body as a person edits it. Raises CommandError if a field of a form cannot hold it."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except (ValueError, TypeError, RecursionError):  # the second: nested too deeply to be written
        pass
    try:
        if "\0" not in (text := body.decode()):
            return text
    except UnicodeDecodeError:
        pass
    why = "it is no text, and a browser would change it"
    hint = "oms dead-letters edit ID --file FILE --reason '...'"
    raise CommandError(Code.REFUSED, "the body cannot be edited here", why=why, hint=hint)


def lines_ended_as_in(shown: str, sent: str) -> str:
    """Return what a person made of a text that a browser showed. Browsers send every line with CRLF at its end.

    If nothing else differs, it is the text that was shown; else its lines end as those of that text, or with LF.
    """
    lines, before = _with_lf(sent), _with_lf(shown)
    if lines == before:
        return shown
    return lines.replace("\n", "\r\n") if before.replace("\n", "\r\n") == shown else lines


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _form_page(request: web.Request, bodies: LetterBodies, *, body: str | None) -> web.Response:
    shown = document(parsed(bodies.before, reveal=False))
    return page(request, "edit.html", row=bodies.row, edited=bodies.edit_id is not None, old=shown, body=body)


async def check(request: web.Request) -> web.Response:
    """Show old and new body side by side, and what today's schema says of the new one. Nothing is kept."""
    bodies = await read_bodies(_id_of(request), look_reason=None, note="")
    wanted = await _wanted(request)
    new = _new_body(bodies, wanted)
    change = change_of(bodies, new)
    old_lines, new_lines = side_by_side(
        document(parsed(bodies.before, reveal=False)), document(parsed(new, reveal=False))
    )
    return page(
        request,
        "edit_check.html",
        row=bodies.row,
        change=change,
        old=old_lines,
        new=new_lines,
        fields=wanted | {"version": bodies.version},
        database_user=database_user(),
    )


async def keep(request: web.Request) -> web.Response:
    """Keep the new body beside the one that came, if the letter is as it was shown."""
    reason, actor = await reason_and_actor(request, WHY_NEEDED)
    bodies = await read_bodies(id := _id_of(request), look_reason=None, note="")
    if (await typed(request)).get("version") != bodies.version:
        raise changed_meanwhile()
    new = _new_body(bodies, await _wanted(request))
    change_of(bodies, new)
    await keep_edit(bodies, new, reason=reason, note=actor)
    raise web.HTTPSeeOther(f"/letters/{id}")


async def _wanted(request: web.Request) -> dict[str, str]:
    """Return the fields that say what the new body is. They are taken as they are: every character may be wanted."""
    sent = await request.post()
    return {name: value for name in HOW if isinstance(value := sent.get(name), str) and value.strip()}


def _new_body(bodies: LetterBodies, wanted: dict[str, str]) -> bytes:
    """Return the new body. Raises CommandError if it is not given, or in two ways, or cannot be made."""
    match wanted:
        case {"changes": text, **rest} if not rest:
            return assigned(bodies.before, [line.strip() for line in text.splitlines() if line.strip()])
        case {"body": text, **rest} if not rest:
            typed_body = lines_ended_as_in(_text_of(bodies.before), text)
            return without_layout(typed_body.encode("utf-8", "surrogatepass"))
        case {"original": _, **rest} if not rest:
            return bodies.first
    why = "values by path, a whole body, and the body that came exclude each other"
    raise CommandError(Code.FAILED, "say in one way what the body is to be", why=why, hint="go back, and fill in one")


def side_by_side(old: str, new: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Return the lines of two texts, each with whether it differs, so that equal lines stand side by side."""
    one, other = old.splitlines(), new.splitlines()
    head = _alike(one, other)
    tail = _alike(one[head:][::-1], other[head:][::-1])
    before, after = one[head : len(one) - tail], other[head : len(other) - tail]
    left, right = [(line, False) for line in one[:head]], [(line, False) for line in other[:head]]
    for differs, old_lines, new_lines in _stretches(before, after):
        longer = max(len(old_lines), len(new_lines))
        left += [(line, differs) for line in old_lines] + [("", differs)] * (longer - len(old_lines))
        right += [(line, differs) for line in new_lines] + [("", differs)] * (longer - len(new_lines))
    same = [(line, False) for line in one[len(one) - tail :]]
    return left + same, right + same


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines two texts have in common before the first that differs."""
    return next(
        (number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _stretches(one: list[str], other: list[str]) -> Iterator[tuple[bool, list[str], list[str]]]:
    """Yield stretches of lines that are equal or differ. Long texts, which would take minutes to compare, differ."""
    if max(len(one), len(other)) > COMPARED_LINES_MAX:
        yield True, one, other
        return
    for kind, start, end, new_start, new_end in SequenceMatcher(a=one, b=other).get_opcodes():
        yield kind != "equal", one[start:end], other[new_start:new_end]


def _refuse_reader(request: web.Request) -> None:
    if not request.app[STATE].guard.operate:
        why = "this console is read-only; nothing was done"
        raise CommandError(Code.REFUSED, "nothing can be changed here", why=why, hint="oms console --operate")


def _id_of(request: web.Request) -> int:
    return int(request.match_info["id"])


ROUTES: Any = (
    web.get(r"/letters/{id:\d{1,18}}/edit", form),
    web.post(r"/letters/{id:\d{1,18}}/edit/reveal", reveal),
    web.post(r"/letters/{id:\d{1,18}}/edit/check", check),
    web.post(r"/letters/{id:\d{1,18}}/edit", keep),
)
