"""`oms dead-letters edit`: another body for a letter, beside the one that came."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from db.cipher import ERASED
from messages.strict_json import Fault
from scripts.commands.body_paths import BodyPathError, assign, changed_paths
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import DryRun, Yes, all_of, changed_meanwhile, confirm, reason_given
from scripts.commands.output import Format, Output, say, write_json
from scripts.commands.problems import Code, CommandError
from workers.services import dead_letters as decisions
from workers.services.letter_readings import faults_of
from workers.store import dead_letters


@dataclass(frozen=True)
class LetterBodies:
    """A letter with the body that counts, which an edit may have given it, and the one that came."""

    row: Mapping[str, Any]
    before: bytes
    first: bytes
    edit_id: int | None

    @property
    def version(self) -> str:
        """What `version_of` returns of it."""
        return version_of(self.row, self.edit_id)


@dataclass(frozen=True)
class BodyChange:
    """The paths at which a body is another, and what today's schema refuses in it."""

    paths: Sequence[str]
    faults: Sequence[Fault]


def edit(
    id: Annotated[int, typer.Argument(help="The id that `oms dead-letters list` shows.")],
    *,
    reason: Annotated[str, typer.Option(help="Why the body is wrong. It is recorded.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change this value; may be repeated.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Take the whole body from this file.")] = None,
    original: Annotated[bool, typer.Option("--original", help="Go back to the body that came.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Give a letter another body, which `try`, `diff` and `replay` take from then on.

    Without --set, --file or --original $EDITOR opens the body in clear, which is recorded as with `show --reveal`. Both
    bodies are kept, encrypted. An edited letter is another message: its id is dead-letter/ID/EDIT, and the first one
    is its cause. Its type and its sender's rights stay. A value is JSON, else a text; `PATH=` removes it.

    \b
    Examples:
      oms dead-letters edit 17 --set items.0.qty=2 --reason "the sender meant pieces, not boxes"
      oms dead-letters edit 17 --reason "wrong country"
    """
    why = reason_given("edit", [str(id)], reason)
    if sum((bool(set_), file is not None, original)) > 1:
        raise CommandError(Code.FAILED, "one of --set, --file and --original", hint="oms dead-letters edit --help")
    look_reason = None if set_ or file or original else why
    bodies = run(read_bodies(id, look_reason=look_reason, note=person()))
    body = _body(bodies, set_, file, original=original)
    change = change_of(bodies, body)
    say(f"changed: {', '.join(change.paths)}")
    if output is Format.JSON:
        write_json({"id": id, "changed": change.paths, "faults": [vars(fault) for fault in change.faults]})
    for fault in change.faults:
        say(f"warning: today's schema refuses it: {fault.path} {fault.message}")
    if dry_run:
        say("dry run: nothing was changed")
        return
    if not yes:
        confirm(f"keep this body for letter {id}?")
    run(keep_edit(bodies, body, reason=why, note=person()))
    say(f"next: oms dead-letters try {id}; oms dead-letters replay {id} --reason '...'")


def _body(bodies: LetterBodies, set_: list[str] | None, file: Path | None, *, original: bool) -> bytes:
    if original:
        return bodies.first
    if file:
        return file.read_bytes()
    return assigned(bodies.before, set_) if set_ else _typed(bodies.before)


async def read_bodies(id: int, *, look_reason: str | None, note: str) -> LetterBodies:
    """Return the bodies of an open letter. With a reason a person sees them in clear, which is recorded first.

    Raises CommandError if there is no such letter, or if it is not edited because it is decided or erased.
    """
    async with connected() as tx:
        (row,) = all_of([id], await dead_letters.read(tx, [id]))
        if row["state"] != dead_letters.OPEN or row["key_id"] == ERASED:
            what = "erased" if row["key_id"] == ERASED else str(row["state"])
            raise CommandError(Code.REFUSED, f"letter {id} is {what}", hint="only open letters are edited")
        if look_reason is not None:
            async with tx.transaction():
                await decisions.reveal(tx, [id], note=note, reason=look_reason)
        first, _ = dead_letters.opened(row)
        newest = (await dead_letters.newest_edits(tx, [id])).get(id)
        if newest is None:
            return LetterBodies(row, first, first, None)
        return LetterBodies(row, dead_letters.opened_edit(newest), first, newest["id"])


def change_of(bodies: LetterBodies, body: bytes) -> BodyChange:
    """Return where a body differs from the one that counts, and its faults. Raises CommandError if it is the same."""
    try:
        paths = changed_paths(_parsed(bodies.before), _parsed(body))
    except RecursionError:
        paths = ["somewhere in the body, which is nested too deeply"]
    if not paths:
        raise CommandError(Code.NOTHING, "nothing was changed", hint=f"oms dead-letters show {bodies.row['id']}")
    return BodyChange(paths, faults_of(bodies.row["type"], body))


async def keep_edit(bodies: LetterBodies, body: bytes, *, reason: str, note: str) -> None:
    """Keep a body for a letter that is as it was read. Raises CommandError if it changed meanwhile."""
    id = bodies.row["id"]
    async with connected() as tx, tx.transaction():
        (now,) = all_of([id], await dead_letters.lock(tx, [id]))
        newest = (await dead_letters.newest_edits(tx, [id])).get(id)
        if bodies.version != version_of(now, None if newest is None else newest["id"]):
            raise changed_meanwhile()
        await decisions.edit(tx, now, body, note=note, reason=reason)


def version_of(row: Mapping[str, Any], edit_id: int | None) -> str:
    """Return a text that is another once a letter was decided, died again or was edited."""
    return f"{row['state']}/{row['repeats']}/{edit_id or '-'}"


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return body


def assigned(before: bytes, assignments: Sequence[str]) -> bytes:
    """Return a body with values assigned by path. Raises CommandError if that is not possible."""
    content = _parsed(before)
    if isinstance(content, bytes):
        raise CommandError(Code.REFUSED, "the body is not JSON", hint="--file takes a whole body")
    try:
        for text in assignments:
            assign(content, text)
    except BodyPathError as error:
        raise CommandError(
            Code.FAILED, "a value cannot be set", why=str(error), hint="PATH=VALUE, such as items.0.qty=2"
        ) from None
    return _written(content)


def _written(content: Any) -> bytes:
    """Write a body. Raises CommandError for what can be read and not written."""
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:
        why, hint = "it is nested too deeply, or has a number of more than 64 bits", "--file takes a whole body"
        raise CommandError(Code.REFUSED, "the body cannot be edited", why=why, hint=hint) from None


def _typed(before: bytes) -> bytes:
    """Let the person edit the body in $EDITOR. The file is readable for nobody else, and goes at once."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    content = _parsed(before)
    text = content if isinstance(content, bytes) else orjson.dumps(content, option=orjson.OPT_INDENT_2)
    with tempfile.TemporaryDirectory(prefix="oms-letter-") as folder:
        file = Path(folder) / "body.json"
        file.write_bytes(text)
        if subprocess.run([*shlex.split(editor), str(file)], check=False).returncode != 0:
            raise CommandError(Code.REFUSED, "nothing was changed", why=f"{editor} failed", hint="--set PATH=VALUE")
        return without_layout(file.read_bytes())


def without_layout(typed: bytes) -> bytes:
    """Return a body that a person typed without the spaces and lines between its values."""
    found = _parsed(typed)
    return typed if isinstance(found, bytes) else _written(found)
