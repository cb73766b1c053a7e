"""`oms dead-letters show`: one letter with its body, its traceback, and what happened to its order since."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
import typer

from db.cipher import ERASED, ErasedError
from messages.base import as_reason_code, free_text_fields
from messages.registry import MODELS
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import all_of
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.reason_meanings import REASONS
from scripts.commands.recorded_reasons import reason_to_record
from workers.domain.masking import masked, masked_text
from workers.services import dead_letters as decisions
from workers.store import accesses, dead_letters, replay_runs

NESTED = ("traceback", "headers", "body", "edits", "orders", "others", "notes", "replays", "actions", "accesses")
NESTED_MAX = 100
TEXTS = frozenset({"remark", *(name for model in MODELS.values() for name in free_text_fields(model))})
"""The fields in which people write what they like, which may hold a name or a number."""
HIDDEN = ("body", "headers", "body_hash", "key_id", "about")


def show(
    id: Annotated[int, typer.Argument(help="The id that `oms dead-letters list` shows.")],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data in clear; it is recorded.")] = False,
    reason: Annotated[str, typer.Option(help="With --reveal: why you must see it.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Show one dead letter: its traceback, headers, body, what happened to its order since, what was decided.

    Personal data is masked unless --reveal is given: then table address_accesses records who looked, when and why.

    \b
    Examples:
      oms dead-letters show 17
      oms dead-letters show 17 -o json | jq .body
      oms dead-letters show 17 --reveal --reason "which field has the wrong type"
    """
    hint = f"oms dead-letters show {id} --reveal --reason '...'"
    if not reveal and reason:
        raise CommandError(Code.FAILED, "a reason is for --reveal only", hint=hint)
    if reveal:
        reason = reason_to_record(reason, hint, why="it is recorded who sees personal data in clear, when and why")
    letter = run(read_letter(id, reveal=reveal, reason=reason, note=person()))
    if output is Format.JSON:
        write_json(letter)
        return
    write_table([{"field": name, "value": value} for name, value in letter.items() if name not in NESTED])
    for name in NESTED:
        if letter[name] or name in ("headers", "body"):
            typer.echo(f"\n{name}")
            _write_part(name, letter[name])
    _say_next(letter)


def _say_next(letter: Mapping[str, Any]) -> None:
    """Say what the reason of a letter means, and what to type: at the end, where a person looks first."""
    id, state = letter["id"], letter["state"]
    say(f"letter {id} is {state}: {letter['reason']}")
    say(f"  why:  {REASONS.get(letter['reason'], 'a reason of another version')}")
    if state == dead_letters.OPEN:
        say(f"  next: oms dead-letters try {id}, which changes nothing")
        say(f"  then: oms dead-letters replay, edit or discard {id} --reason '...'")
    elif state == dead_letters.DISCARDED:
        say(f"  next: oms dead-letters restore {id} --reason '...', if it is needed after all")


def _write_part(name: str, part: Any) -> None:
    if name == "traceback":
        typer.echo("\n".join(f"  {line}" for line in part))
    elif name in ("orders", "others", "replays", "notes"):
        write_table(part)
    else:
        write_json(part)


async def read_letter(id: int, *, reveal: bool, reason: str, note: str) -> dict[str, Any]:
    """Read all that is known about a letter, masked unless it is revealed: then it is recorded who sees it, and why.

    Raises CommandError if there is no such letter.
    """
    async with connected() as tx:
        (row,) = all_of([id], await dead_letters.read(tx, [id]))
        if reveal:  # recorded first, so that no look goes without its record
            async with tx.transaction():
                await decisions.reveal(tx, [id], note=note, reason=reason)
        edits = [_edit(edit, reveal) for edit in await dead_letters.edits(tx, id)]
        group = row["fingerprint"] or row["reason"]
        return whole(row, reveal=reveal) | {
            "edits": edits,
            "orders": await dead_letters.steps_since(tx, id),
            "others": await dead_letters.others(tx, id),
            "notes": [dict(note) for note in (await dead_letters.notes(tx, [group])).get(group, ())],
            "replays": await replay_runs.of_letter(tx, id),
            "actions": [dict(action) for action in await dead_letters.actions(tx, id)],
            "accesses": await accesses.of_dead_letters(tx, [id]),
        }


def whole(row: Mapping[str, Any], *, reveal: bool) -> dict[str, Any]:
    """Return a letter with what is encrypted of it: masked unless it is revealed."""
    shown = {name: value for name, value in row.items() if name not in HIDDEN}
    try:
        body, headers = dead_letters.opened(row)
    except ErasedError:
        return shown | {"traceback": [], "headers": ERASED, "body": ERASED}
    stored = orjson.loads(headers)
    traceback = stored.pop("traceback", [])
    return shown | {
        "traceback": traceback,
        "headers": stored if reveal else masked(stored),
        "body": parsed(body, reveal=reveal),
    }


def _edit(row: Mapping[str, Any], reveal: bool) -> dict[str, Any]:
    about = {name: row[name] for name in ("id", "at", "actor", "note", "reason")}
    try:
        return about | {"body": parsed(dead_letters.opened_edit(row), reveal=reveal)}
    except ErasedError:
        return about | {"body": ERASED}


def parsed(data: bytes, *, reveal: bool) -> Any:
    """Parse JSON and mask it. Other data cannot be masked: it is text if revealed, and only its size otherwise. So is
    JSON that is nested more than NESTED_MAX deep, which could be read and not written again.
    """
    try:
        value = orjson.loads(data)
    except (ValueError, RecursionError):
        return _text(data, "bytes that are not JSON", reveal)
    if _is_deep(value):
        return _text(data, "bytes, nested too deeply to be masked", reveal)
    return value if reveal else masked_body(value)


def masked_body(value: Any) -> Any:
    """Copy a body with personal data masked, also what people wrote. A reason stays where it is a word of a list."""
    return _without_texts(masked(value))


def _without_texts(value: Any) -> Any:
    match value:
        case dict():
            return {name: _text_masked(name, item) for name, item in value.items()}
        case list():
            return [_without_texts(item) for item in value]
    return value


def _text_masked(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return _without_texts(value)
    is_code = name == "reason" and as_reason_code(value) is not None
    return masked_text(value) if name in TEXTS and not is_code else value


def _text(data: bytes, what: str, reveal: bool) -> str:
    return data.decode("utf-8", "backslashreplace") if reveal else f"{len(data)} {what} (--reveal)"


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(NESTED_MAX):
        nested = [one for one in level if isinstance(one, dict | list)]
        level = [part for one in nested for part in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)
