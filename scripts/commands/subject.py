"""`oms subject` shows what is kept about a user, exports it, and has it erased."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import orjson
import typer
from uuid_utils import uuid7

from db import cipher
from messages.base import Actor, CommandRejected
from messages.subjects import SubjectErase, SubjectExported
from scripts.commands import command_app
from scripts.commands.body_faults import faults as faults_of
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import confirm
from scripts.commands.message_sending import send
from scripts.commands.outcomes import outcome
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.domain.refusal import Refusal
from workers.handlers.subjects import LISTED_MAX, decide
from workers.services import subject_exports
from workers.services import subjects as services
from workers.store import accesses, exports, subjects

app = command_app("Show, export and erase what is kept about a user.")
User = Annotated[str, typer.Argument(metavar="USER", help="The id of the user, as the shop's messages have it.")]
ACCESS = "oms subject export"


@app.command("status")
def status(user: User, output: Output = Format.TABLE) -> None:
    """Show in numbers what is kept about a user, and what keeps the user from being erased.

    \b
    Examples:
      oms subject status u-4711
      oms subject status u-4711 -o json | jq .live
    """
    kept, refusal = run(_looked_up(user))
    live = _live(refusal)
    if output is Format.JSON:
        write_json({"user_id": user, **kept, "can_be_erased": refusal is None, "live": live})
        return
    write_table([{"field": name, "value": value} for name, value in kept.items()])
    write_table(live, title="\nunder way")
    say(f"{user} can be erased" if refusal is None else f"{user} cannot be erased: {refusal.message}")


@app.command("export")
def export(
    user: User,
    *,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Write to this new file, not to stdout.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Write everything that is kept about a user, in clear, as one JSON document.

    It reads the database as of one moment, and reports on stderr how far it is. Only you can read the file: hand it on
    by a safe way, then delete it. Table address_accesses keeps who exported the user, and for each order its address.
    With --file, --output is the format of the summary on stdout.

    \b
    Examples:
      oms subject export u-4711 --file u-4711.json
      oms subject export u-4711 | jq '.data.orders[].address'
    """
    run(_looked_up(user))
    with _target(file) as target:
        rows, unreadable = run(_export(user, target))
    if file is not None:
        done = [{"section": section, "rows": count} for section, count in rows.items()]
        write_json({"user_id": user, "file": str(file), "rows": rows}) if output is Format.JSON else write_table(done)
        say(f"{file} has everything that is kept about {user}")
    if unreadable:
        raise CommandError(
            Code.DIFFERENT,
            f"{counted(unreadable, 'value')} could not be decrypted; the document has the reason in place of each",
            why="OMS_ENCRYPTION_KEYS lacks a key that data is encrypted with",
            hint="oms keys status; then the same command with all the keys that it names",
        )


@app.command("erase")
def erase(
    user: User,
    *,
    reason: Annotated[str, typer.Option(help="A word of your own list, such as USER_REQUEST. It is announced.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    wait_seconds: Annotated[float, typer.Option(min=0, help="Wait so long for a worker to do it.")] = 30.0,
    output: Output = Format.TABLE,
) -> None:
    """Make everything that a user entered or that names the user unreadable, for ever.

    Orders, amounts and history stay, with the user's id. It is refused while something of the user is under way, and
    lists that. The command publishes subject.erase as an operator (OMS_OPERATOR_AMQP_URL, else OMS_AMQP_URL), and
    waits until a worker has decided. Nothing can bring the data back, but a backup: export it first if you must.

    \b
    Examples:
      oms subject erase u-4711 --reason USER_REQUEST --dry-run
      oms subject erase u-4711 --reason USER_REQUEST --yes -o json
    """
    command = _command(user, reason)
    kept, refusal = run(_looked_up(user))
    if refusal is not None:
        write_json(_live(refusal)) if output is Format.JSON else write_table(_live(refusal))
        raise _refused(user, refusal.message)
    if dry_run:
        write_json(kept) if output is Format.JSON else write_table([kept])
        say("dry run: nothing was changed")
        return
    if not yes:
        confirm(f"make everything about {user} unreadable for ever ({counted(kept['orders'], 'order')})?")
    send(SubjectErase, command.json_bytes)
    ended = run(outcome(command, "subjects", "operator", f"oms subject status {user}", wait_seconds))
    if ended.type == CommandRejected.TYPE:
        raise _refused(user, f"{ended.event['code']}: {ended.event['message']}")
    erased = {"user_id": user, "orders": ended.event["orders"], "request_id": command.request_id}
    write_json(erased) if output is Format.JSON else write_table([erased])
    say(f"{user} is erased")


def _command(user: str, reason: str) -> SubjectErase:
    actor = Actor(type="operator", id=person()[:64])
    given = {"request_id": f"cli-{uuid7()}", "actor": actor.model_dump(), "user_id": user, "reason_code": reason}
    if faults := faults_of(SubjectErase, orjson.dumps(given)):
        raise CommandError(
            Code.FAILED,
            "the command is not valid; nothing was done",
            why="; ".join(f"{fault['path']}: {fault['message']}" for fault in faults),
            hint="--reason USER_REQUEST, or another word of letters, dots and underlines: it is announced",
        )
    return SubjectErase.model_validate_json(orjson.dumps(given))


async def _looked_up(user: str) -> tuple[dict[str, Any], Refusal | None]:
    """What is kept about the user, in numbers, and why the user cannot be erased. Raises CommandError if nothing is."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        kept = await subjects.kept(tx, user)
        if not any(kept.values()):
            hint = "check the id: the field user_id of the messages about the user"
            raise CommandError(Code.NOTHING, f"nothing is kept about {user}", hint=hint)
        letters = await subjects.open_letters(tx, [user], LISTED_MAX)
        return kept, decide(user, await subjects.live(tx, [user]), letters, await services.waiting(tx, [user]))


def _live(refusal: Refusal | None) -> list[dict[str, Any]]:
    details: Any = refusal.details if refusal else {}
    unpublished = [
        {"order_id": None, "state": f"{type_} waits to be published"} for type_ in details.get("unpublished", ())
    ]
    letters = [{"order_id": None, "state": f"dead letter {id} is open"} for id in details.get("dead_letters", ())]
    return [*details.get("live", ()), *letters, *unpublished]


def _refused(user: str, why: str) -> CommandError:
    return CommandError(Code.REFUSED, f"{user} is not erased", why=why, hint=f"oms subject status {user}")


@contextmanager
def _target(file: Path | None) -> Iterator[TextIO]:
    """Open stdout, or a new file that only its owner can read. A file that was not finished is removed."""
    if file is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        why = f"{type(error).__name__}: {error.strerror}"
        raise CommandError(Code.FAILED, f"{file} cannot be made", why=why, hint="--file with a new name") from error
    try:
        with open(descriptor, "w", encoding="utf-8") as target:
            yield target
    except BaseException:
        file.unlink()
        raise


async def _parts(user: str) -> AsyncIterator[SubjectExported]:
    async with connected() as tx:
        cipher.current()  # without any key the document would be of no use
        await accesses.of_user(tx, user, note=person(), reason=ACCESS)
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        cursor: str | None = exports.SECTIONS[0]
        while cursor is not None:
            section, _, after = cursor.partition(".")
            part = await subject_exports.part(tx, user, section, after or None)
            cursor = part.next
            yield part


async def _export(user: str, target: TextIO) -> tuple[dict[str, int], int]:
    """Write the document. Returns how many rows each section has, and how many values could not be decrypted."""
    rows, unreadable = dict.fromkeys(exports.SECTIONS, 0), 0
    head = {"user_id": user, "exported_at": datetime.now(UTC)}
    target.write(orjson.dumps(head).decode().removesuffix("}") + ',"data":{')
    before = ""
    async for part in _parts(user):
        for section, found in part.data.items():
            text = ",".join(orjson.dumps(row).decode() for row in found)
            opening = "," if section == before else f'{"]," if before else ""}"{section}":['
            target.write(opening + text)
            before = section
            rows[section] += len(found)
            unreadable += text.count(f'"{exports.UNREADABLE}')
        say(f"{sum(rows.values())} rows, of these {counted(rows['orders'], 'order')}")
    target.write(f"{']' if before else ''}}}}}\n")
    return rows, unreadable
