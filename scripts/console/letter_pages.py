"""Dead letters: groups that failed alike, lists by filter, and one letter with all that is known about it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from db.cipher import CipherError
from db.pool import Transaction
from scripts.commands.connections import connected
from scripts.commands.decisions import summary
from scripts.commands.letter_filters import LetterOptions, is_id, refuse_unknown
from scripts.commands.letter_lists import GroupBy, group_rows, write_note
from scripts.commands.letter_views import NESTED, read_letter
from scripts.commands.problems import Code, CommandError
from scripts.commands.reason_meanings import REASONS
from scripts.console import letter_forms
from scripts.console.forms import reason_and_actor, typed
from scripts.console.rendering import page
from workers.store import dead_letter_lists, dead_letters
from workers.store.dead_letter_lists import LetterFilter

GROUPS_MAX, LETTERS_MAX, DECISIONS_MAX, HISTORY_MAX = 50, 100, 20, 500


async def groups(request: web.Request) -> web.Response:
    """Show letters that failed alike as one line, the largest group first."""
    options = letter_forms.options_of(letter_forms.fields_of(letter_forms.query_string(request)))
    query = options.build(datetime.now(UTC))
    async with connected() as tx:
        wanted = await query.narrowed(tx)
        found = await dead_letter_lists.groups(tx, wanted)
        if not found:
            await refuse_unknown(tx, options)
        rows = group_rows(found, GroupBy.FINGERPRINT)
        notes = await dead_letters.notes(tx, (row["group"] for row in rows))
        shown = [
            row | {"place": await _place(tx, row, wanted.state), "notes": notes.get(row["group"], ())}
            for row in rows[:GROUPS_MAX]
        ]
        done = decisions_of(await dead_letter_lists.history(tx, None, None, None, HISTORY_MAX))
    return page(
        request,
        "groups.html",
        rows=shown,
        hidden=len(rows) - len(shown),
        done=done[:DECISIONS_MAX],
        **_filters(options),
    )


def decisions_of(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one line for what a person decided about many letters at once, the newest first."""
    lines: list[dict[str, Any]] = []
    for one in history:
        by, letter = one["note"] or one["actor"], one["dead_letter_id"]
        about = {"by": by, "action": one["action"], "reason": one["reason"], "group": one["group_name"]}
        if lines and all(lines[-1][name] == value for name, value in about.items()):
            lines[-1] |= {"letters": lines[-1]["letters"] + 1, "first": letter}
        else:
            lines.append({"at": one["at"], **about, "letters": 0 if letter is None else 1, "first": letter})
    return lines


async def _place(tx: Transaction, group: Mapping[str, Any], state: str | None) -> str:
    """Return file, line and function where the newest letter of a group failed; where in its body, if it is that."""
    wanted = LetterFilter(state=state, groups=[group["group"]], queues=[group["queue"]])
    newest = await dead_letter_lists.find(tx, wanted, 1)
    if not newest or newest[0]["error_path"]:
        return str(newest[0]["error_path"]) if newest else ""
    [row] = await dead_letters.read(tx, [newest[0]["id"]])
    try:
        _, headers = dead_letters.opened(row)
    except CipherError:
        return ""
    steps = [step for step in orjson.loads(headers).get("traceback", ()) if ":" in step]
    ours = [step for step in steps if not step.startswith("/") and "site-packages" not in step]
    return str((ours or steps or [""])[-1])


def _filters(options: LetterOptions) -> dict[str, Any]:
    return {
        "filters": letter_forms.values_of(options),
        "choices": letter_forms.CHOICES,
        "hints": letter_forms.HINTS,
        "first": letter_forms.FIRST,
        "query": letter_forms.query_of(options),
        "typed": options.text,
    }


async def letters(request: web.Request) -> web.Response:
    """List letters, the newest first, without personal data."""
    options = letter_forms.options_of(letter_forms.fields_of(letter_forms.query_string(request)))
    query = options.build(datetime.now(UTC))
    async with connected() as tx:
        wanted = await query.narrowed(tx)
        rows = await dead_letter_lists.find(tx, wanted, LETTERS_MAX)
        total = len(rows) if len(rows) < LETTERS_MAX else await dead_letter_lists.count(tx, wanted)
        if not rows:
            await refuse_unknown(tx, options)
        notes = await dead_letters.notes(tx, options.group or ())
    shown = [summary(row) | {"died_at": row["died_at"]} for row in rows]
    reasons = {row["reason"] for row in rows}
    return page(
        request,
        "letters.html",
        rows=shown,
        total=total,
        group=options.group[0] if options.group and len(options.group) == 1 else None,
        notes=[note for written in notes.values() for note in written],
        meaning=REASONS.get(reasons.pop(), "") if len(reasons) == 1 else "",
        **_filters(options),
    )


async def note(request: web.Request) -> web.Response:
    """Keep a note about a group for the next person, and lead back to the group."""
    text, actor = await reason_and_actor(request, "it is what the next person reads")
    group = (await typed(request)).get("group", "")
    await write_note(group, text, actor)
    raise web.HTTPSeeOther(f"/letters?{urlencode({'group': group, 'state': 'any'})}")


async def letter(request: web.Request) -> web.Response:
    """Show one letter, masked."""
    return await _letter_page(request, reveal=False)


async def reveal(request: web.Request) -> web.Response:
    """Record that a person sees the letter in clear, and show it so."""
    reason, actor = await reason_and_actor(request, "it is recorded who sees personal data in clear, when and why")
    return await _letter_page(request, reveal=True, reason=reason, actor=actor)


async def _letter_page(request: web.Request, *, reveal: bool, reason: str = "", actor: str = "") -> web.Response:
    text = request.match_info["id"]
    if not is_id(text):
        raise CommandError(Code.FAILED, f"{text[:100]} is no id", why="an id is a number", hint="oms dead-letters list")
    found = await read_letter(int(text), reveal=reveal, reason=reason, note=actor)
    about = {name: value for name, value in found.items() if name not in NESTED}
    about["group"] = found["fingerprint"] or found["reason"]
    meaning = REASONS.get(found["reason"], "")
    return page(request, "letter.html", letter=found, about=about, meaning=meaning, revealed=reveal)


ROUTES: Sequence[web.RouteDef] = (
    web.get("/letters/groups", groups),
    web.get("/letters", letters),
    web.post("/letters/note", note),
    web.get("/letters/{id}", letter),
    web.post("/letters/{id}/reveal", reveal),
)
