"""`oms dead-letters diff` and `try`: why a letter would die again, or what it would do, before anything moves."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
import typer
from pydantic import SecretStr

from messages.topology import messages_of
from scripts.commands.body_paths import changed_paths
from scripts.commands.connections import connected, run
from scripts.commands.decisions import all_of
from scripts.commands.letter_filters import UNROUTED
from scripts.commands.letter_views import masked_body, parsed
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers import providers, shop
from workers.app import all_routes
from workers.routes import signing
from workers.runtime.local_dispatch import local_routes
from workers.runtime.route import Route
from workers.services.letter_readings import read_letter
from workers.services.letter_trials import Trial, TrialResult, try_letter
from workers.settings import Settings
from workers.store import dead_letters

WELL = (TrialResult.WORKS, TrialResult.HANDLED_BEFORE)
"""The results of a letter whose replay would do no harm."""
Id = Annotated[int, typer.Argument(help="The id that `oms dead-letters list` shows.")]


class TrialSettings(Settings):
    """The settings of a worker, without the broker."""

    amqp_url: SecretStr = SecretStr("")


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
    locked for a moment. Handlers that call other systems are not tried. It exits with 3 if the letter would not work.

    \b
    Examples:
      oms dead-letters try 17
      oms dead-letters try 17 -o json | jq .sends
    """
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


async def run_trial(id: int, to: str | None) -> Trial:
    """Handle a letter with the settings of a worker, and roll back. One at a time: it configures this process.

    Raises CommandError if there is no such letter, or no handler of it that can be tried.
    """
    settings = TrialSettings()
    shop.configure(settings.shop)
    providers.configure(settings.providers, settings.payment_timeout_seconds)
    try:
        async with connected() as tx:
            (row,) = all_of([id], await dead_letters.read(tx, [id]))
            edit = (await dead_letters.newest_edits(tx, [id])).get(id)
            routes = signing(all_routes((), settings))
            route = _route(row, to, routes)
            local = local_routes(routes, route.database) if settings.local_dispatch else {}
            transaction = tx.transaction()
            await transaction.start()
            try:
                trust, cell = settings.trust, settings.own_cell
                return await try_letter(tx, row, edit, route=route, local=local, trust=trust, cell=cell)
            finally:
                await transaction.rollback()
    finally:
        await providers.close()


def _route(row: Mapping[str, Any], to: str | None, routes: Sequence[Route]) -> Route:
    """Return the route that would handle a letter. Raises CommandError if there is none that can be tried."""
    queue = to if row["queue"] == UNROUTED and to is not None else row["queue"]
    found = next((route for route in routes if route.queue == queue), None)
    if found is None or row["type"] not in {model.TYPE for model in messages_of(queue)}:
        hint = f"oms dead-letters try {row['id']} --to QUEUE" if row["queue"] == UNROUTED else ""
        raise CommandError(Code.REFUSED, f"no handler here takes {row['type']} from {queue}", hint=hint)
    if type(found) is not Route:
        why = "its handler calls another system, which nobody can roll back"
        raise CommandError(Code.REFUSED, f"letters of {queue} cannot be tried", why=why)
    return found
