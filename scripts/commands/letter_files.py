"""`oms dead-letters export` and `import`: letters as lines of JSON, to look at or to replay elsewhere."""

import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from db.cipher import ErasedError
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import TOGETHER, All, DryRun, Ids, Selection, Yes, confirm, reason_given
from scripts.commands.letter_filters import LetterOptions, filtered
from scripts.commands.letter_views import whole
from scripts.commands.output import Format, Output, counted, plain, say, write_json
from scripts.commands.problems import Code, CommandError
from workers.services import dead_letters as decisions
from workers.store import dead_letters
from workers.store.dead_letters import Letter

PLAIN = (
    *("queue", "message_id", "type", "correlation_id", "reason", "error_path", "error_type", "error_message"),
    *("fingerprint", "attempts", "exchange", "routing_key", "origin_user", "worker_version"),
)
TIMES = ("occurred_at", "first_failed_at", "last_failed_at")
SEALED = ("body_base64", "headers_base64")


@filtered
def export(
    ids: Ids = None,
    *,
    options: LetterOptions,
    everything: All = False,
    file: Annotated[Path | None, typer.Option(help="Write to this file, readable for you alone.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="With bodies in clear; it is recorded for each.")] = False,
    reason: Annotated[str, typer.Option(help="With --reveal: why you must have them.")] = "",
    output: Output = Format.JSON,
) -> None:
    """Write letters as lines of JSON. Personal data is masked unless --reveal is given; only then `import` takes them.

    \b
    Examples:
      oms dead-letters export --group 3f2a9c01d4e5b677 > letters.ndjson
      oms dead-letters export 17 18 --reveal --reason "for the test system" --file letters.ndjson
    """
    words = ids or []
    why = reason_given("export", words, reason) if reveal else ""

    async def work() -> list[bytes]:
        async with connected() as tx:
            lines: list[bytes] = []
            wanted = await Selection(words, options, everything).ids(tx)
            for start in range(0, len(wanted), TOGETHER):
                rows = await dead_letters.read(tx, wanted[start : start + TOGETHER])
                if reveal:  # recorded first, so that no look goes without its record
                    async with tx.transaction():
                        await decisions.reveal(tx, [row["id"] for row in rows], note=person(), reason=why)
                lines += [orjson.dumps(plain(_line(row, reveal)), default=str) for row in rows]
            return lines

    lines = run(work())
    text = b"".join(line + b"\n" for line in lines)
    if file is None:
        sys.stdout.write(text.decode())
        sys.stdout.flush()
    else:
        with open(file, "wb", opener=partial(os.open, mode=0o600)) as written:
            os.fchmod(written.fileno(), 0o600)  # a file that was there may be readable for others
            written.write(text)
    say(counted(len(lines), "dead letter"))


def _line(row: Mapping[str, Any], reveal: bool) -> dict[str, Any]:
    line = whole(row, reveal=reveal)
    if not reveal:
        return line
    try:
        parts = dead_letters.opened(row)
    except ErasedError:
        return line
    return line | {name: b64encode(part).decode() for name, part in zip(SEALED, parts, strict=True)}


def import_(
    file: Annotated[Path, typer.Argument(help="What `oms dead-letters export --reveal` wrote; - is standard input.")],
    *,
    reason: Annotated[str, typer.Option(help="Why they are needed here. It is recorded.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Keep exported letters here as open letters. Those that are here already are left as they are.

    It takes a database user that may write letters: who imports one can have it replayed with its sender's rights.

    \b
    Examples:
      oms dead-letters import letters.ndjson --reason "the broken release, in the test system" --dry-run
    """
    why = reason_given("import FILE", [], reason)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        letters = list(_letters(text))
    except OSError as error:
        raise CommandError(Code.FAILED, f"{file} cannot be read", why=str(error.strerror)) from None
    say(f"{counted(len(letters), 'letter')} in {file}")
    if dry_run:
        say("dry run: nothing was changed")
        return
    if not yes:
        confirm(f"import {counted(len(letters), 'letter')}?")
    ids = run(_kept(letters, why))
    if output is Format.JSON:
        write_json({"imported": ids})
    say(f"imported {counted(len(ids), 'letter')}; {len(letters) - len(ids)} were here already")


def _letters(text: str) -> Iterator[Letter]:
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            given = orjson.loads(line)
            body, headers = (b64decode(given[name], validate=True) for name in SEALED)
            orjson.loads(headers)
            times = {name: datetime.fromisoformat(given[name]) if given[name] else None for name in TIMES}
            yield decisions.imported(body, headers, **{name: given[name] for name in PLAIN}, **times)
        except (ValueError, KeyError, TypeError):
            why = "a letter has body_base64 and headers_base64, which export writes with --reveal"
            raise CommandError(Code.FAILED, f"line {number} is no letter", why=why) from None


async def _kept(letters: Sequence[Letter], reason: str) -> list[int]:
    ids: list[int] = []
    async with connected() as tx, tx.transaction():
        for start in range(0, len(letters), TOGETHER):
            some = letters[start : start + TOGETHER]
            ids += await decisions.keep_imported(tx, some, note=person(), reason=reason)
    return ids
