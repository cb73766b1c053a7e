"""`oms dead-letters diff` and `try`: why a letter would die again, or what it would do, before anything moves."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
import typer

from scripts.commands.body_paths import changed_paths
from scripts.commands.connections import connected, run
from scripts.commands.decisions import all_of
from scripts.commands.letter_views import masked_body, parsed
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.services.letter_readings import read_letter
from workers.services.letter_trials import Trial, TrialResult
from workers.store import dead_letters

WELL = (TrialResult.WORKS, TrialResult.HANDLED_BEFORE)
"""The results of a letter whose replay would do no harm."""
Id = Annotated[int, typer.Argument(help="The id that `oms dead-letters list` shows.")]


def diff(id: Id, *, output: Output = Format.TABLE) -> None:
    """Say why today's schema refuses the body of a letter, or that it would accept it. It exits with 3 if it refuses.

    \b
    Examples:
      oms dead-letters diff 17
    """

    async def work() -> dict[str, Any]:
        async with connected() as tx:
            (row,) = all_of([id], await dead_letters.read(tx, [id]))
            edit = (await dead_letters.newest_edits(tx, [id])).get(id)
            return _compared(row, edit)

    found = run(work())
    if output is Format.JSON:
        write_json(found)
    else:
        write_table([{"when": "then", **found["then"]}])
        write_table(found["faults"])
    if found["faults"]:
        hint = f"oms dead-letters edit {id} --set PATH=VALUE --reason '...', or discard it"
        raise CommandError(Code.DIFFERENT, f"today's schema refuses {found['looked_at']}", hint=hint)
    say(f"today's schema accepts {found['looked_at']}")


def _compared(row: Mapping[str, Any], edit: Mapping[str, Any] | None) -> dict[str, Any]:
    reading = read_letter(row, edit)
    body, _ = dead_letters.opened(row)
    given = body if edit is None else dead_letters.opened_edit(edit)
    then = {name: row[name] for name in ("reason", "error_path", "error_type", "error_message", "worker_version")}
    faults = [
        {"path": one.path, "error": one.error, "message": one.message, "value": _value_at(given, one.path)}
        for one in reading.faults
    ]
    edited = [] if edit is None else changed_paths(parsed(body, reveal=True), parsed(given, reveal=True))
    looked_at = "the body" if edit is None else "the edited body"
    return {"id": row["id"], "looked_at": looked_at, "then": then, "faults": faults, "edited": edited}


def _value_at(body: bytes, path: str) -> Any:
    """Return the masked value at a JSON path, or None: only scalars are shown."""
    try:
        value = masked_body(orjson.loads(body))
    except (ValueError, RecursionError):
        return None
    for step in path.removeprefix("$").replace("[", ".").replace("]", "").split(".")[1:]:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return None if isinstance(value, dict | list) else value


def try_(
    id: Id,
    *,
    to: Annotated[str | None, typer.Option(help="The queue for an unrouted message, without the prefix.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Handle a letter as its worker would, roll everything back, and say what became of it.

    It prints the messages that the handler would send, without personal data. It takes the code of this checkout, the
    OMS_ settings of a worker, and a database user who may do what workers do. Nothing is sent or stored; rows are
    locked for a moment, and 15 seconds at most. Handlers that call other systems are not tried. It exits with 3 if the
    letter would not work.

    \b
    Examples:
      oms dead-letters try 17
      oms dead-letters try 17 -o json | jq .sends
    """
    from scripts.commands.trial_runs import run_trial  # noqa: PLC0415 (it loads every handler, as no other command here)

    trial = run(run_trial(id, to))
    sends = sent_by(trial)
    about = {"id": id, "result": trial.result, "reason": trial.reason or None, "why": trial.why or None}
    if output is Format.JSON:
        faults = [vars(one) for one in trial.faults]
        write_json({**about, "faults": faults, "traceback": list(trial.traceback), "sends": sends})
    else:
        write_table([about])
        for title, lines in (
            ("traceback", trial.traceback),
            ("faults", [f"{f.path}: {f.message}" for f in trial.faults]),
        ):
            if lines:
                typer.echo(f"\n{title}\n" + "\n".join(f"  {line}" for line in lines))
        if sends:
            typer.echo("\nsends")
            write_table([{name: one[name] for name in ("type", "destination", "to")} for one in sends])
    say("everything was rolled back")
    if trial.result not in WELL:
        raise CommandError(
            Code.DIFFERENT, f"letter {id} would not work: {trial.result}", hint=f"oms dead-letters show {id}"
        )


def sent_by(trial: Trial) -> list[dict[str, Any]]:
    """Return the messages that a handler would send, without personal data."""
    return [
        {
            "type": one.type,
            "destination": one.destination,
            "to": one.routing_key,
            "body": masked_body(orjson.loads(one.json_bytes)),
        }
        for one in trial.announced
    ]
