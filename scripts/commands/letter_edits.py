"""`oms dead-letters edit`: another body for a letter, beside the one that came."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from db.cipher import ERASED
from scripts.commands.body_paths import BodyPathError, assign, changed_paths
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import DryRun, Yes, all_of, changed_meanwhile, confirm, reason_given
from scripts.commands.output import Format, Output, say, write_json
from scripts.commands.problems import Code, CommandError
from workers.services import dead_letters as decisions
from workers.services.letter_readings import faults_of
from workers.store import dead_letters


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
    row, before, first = run(_read(id, None if set_ or file or original else why))
    body = first if original else file.read_bytes() if file else _assigned(before, set_) if set_ else _typed(before)
    paths = changed_paths(_parsed(before), _parsed(body))
    if not paths:
        raise CommandError(Code.NOTHING, "nothing was changed", hint=f"oms dead-letters show {id}")
    say(f"changed: {', '.join(paths)}")
    faults = faults_of(row["type"], body)
    if output is Format.JSON:
        write_json({"id": id, "changed": paths, "faults": [vars(fault) for fault in faults]})
    for fault in faults:
        say(f"warning: today's schema refuses it: {fault.path} {fault.message}")
    if dry_run:
        say("dry run: nothing was changed")
        return
    if not yes:
        confirm(f"keep this body for letter {id}?")
    run(_keep(row, body, why))
    say(f"next: oms dead-letters try {id}; oms dead-letters replay {id} --reason '...'")


async def _read(id: int, look_reason: str | None) -> tuple[Mapping[str, Any], bytes, bytes]:
    """Return the letter, the body that counts and the one that came. A look at them in clear is recorded first."""
    async with connected() as tx:
        (row,) = all_of([id], await dead_letters.read(tx, [id]))
        if row["state"] != dead_letters.OPEN or row["key_id"] == ERASED:
            what = "erased" if row["key_id"] == ERASED else str(row["state"])
            raise CommandError(Code.REFUSED, f"letter {id} is {what}", hint="only open letters are edited")
        if look_reason is not None:
            async with tx.transaction():
                await decisions.reveal(tx, [id], note=person(), reason=look_reason)
        body, _ = dead_letters.opened(row)
        newest = (await dead_letters.newest_edits(tx, [id])).get(id)
        return row, body if newest is None else dead_letters.opened_edit(newest), body


async def _keep(row: Mapping[str, Any], body: bytes, reason: str) -> None:
    async with connected() as tx, tx.transaction():
        (now,) = all_of([row["id"]], await dead_letters.lock(tx, [row["id"]]))
        if (now["state"], now["repeats"]) != (row["state"], row["repeats"]):
            raise changed_meanwhile()
        await decisions.edit(tx, now, body, note=person(), reason=reason)


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return body


def _assigned(before: bytes, assignments: Sequence[str]) -> bytes:
    content = _parsed(before)
    if isinstance(content, bytes):
        raise CommandError(Code.REFUSED, "the body is not JSON", hint="--file takes a whole body")
    try:
        for text in assignments:
            assign(content, text)
    except BodyPathError as error:
        raise CommandError(Code.FAILED, "--set makes no sense", why=str(error), hint="--set items.0.qty=2") from None
    return orjson.dumps(content)


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
        edited = file.read_bytes()
    found = _parsed(edited)
    return edited if isinstance(found, bytes) else orjson.dumps(found)
