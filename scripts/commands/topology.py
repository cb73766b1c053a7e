"""`oms topology` shows, declares, compares and exports the exchanges, queues and bindings that the broker must have."""

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from messages.cell_topology import HASH_TYPE, CellEntry, entry
from messages.topology import Topology, topology
from scripts.commands import command_app
from scripts.commands.connections import BrokerSettings, broker_url, run
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app("Show, declare, compare and export exchanges, queues and bindings.")


class ExportFormat(StrEnum):
    """What the topology is exported for."""

    DEFINITIONS = "definitions"
    OPERATOR = "operator"


@app.command("show")
def show(output: Output = Format.TABLE) -> None:
    """Print the exchanges, queues and bindings of this version.

    The command connects to no server.

    \b
    Examples:
      oms topology show
      oms topology show -o json | jq '.queues[].name'
    """
    settings = BrokerSettings(amqp_url="amqp://")
    shown = described(wanted_topology(settings)) if settings.cell or not settings.cells else {}
    if settings.cells:
        shown |= described_entry(entry(settings.prefix, settings.cells, hashing=True))
    if output is Format.JSON:
        write_json(shown)
        return
    for title, rows in shown.items():
        write_table(
            [row | {"arguments": _short(row["arguments"])} if "arguments" in row else row for row in rows], title=title
        )


@app.command("declare")
def declare(output: Output = Format.TABLE) -> None:
    """Create missing exchanges, queues and bindings on the broker.

    The command refuses, and prints the difference, if one of them exists with other arguments.

    \b
    Examples:
      oms topology declare
      OMS_AMQP_URL=amqp://oms-topology:secret@broker/ oms topology declare
      OMS_DELAY=plugin oms topology declare
      OMS_EVENT_HISTORY=on oms topology declare
    """
    from outbox import declare as declaring  # noqa: PLC0415 (`show` needs no broker client)

    settings = BrokerSettings()
    settings.require_cell()
    try:
        url = broker_url(settings)
        plugin = settings.delay == "plugin"
        wanted = run(
            declaring.declare(
                url,
                settings.names,
                settings.tiers,
                delay_plugin=plugin,
                warehouses=settings.fulfilment_warehouses,
                carriers=settings.carriers,
                media=settings.notifications,
                history=settings.history,
            )
        )
        if settings.cells:
            _declare_entry(url, settings)
    except declaring.TopologyError as error:
        hint = "delete the queue or exchange that differs once it is empty, then declare again"
        raise CommandError(Code.REFUSED, "the broker does not take this topology", why=str(error), hint=hint) from error
    if output is Format.JSON:
        write_json(described(wanted))
    say(f"declared {len(wanted.exchanges)} exchanges, {len(wanted.queues)} queues, {len(wanted.bindings)} bindings")


@app.command("diff")
def diff(output: Output = Format.TABLE) -> None:
    """Compare the broker with this version: what is missing, what differs, what is ours and unknown. It only reads.

    It exits with 3 if they differ. Over OMS_AMQP_URL it sees which exchanges and queues are missing; with
    OMS_MANAGEMENT_URL also types, arguments, bindings, and what an older version has left behind.

    \b
    Examples:
      oms topology diff
      OMS_MANAGEMENT_URL=http://oms-oncall:secret@broker:15672 oms topology diff -o json
    """
    from scripts.commands.broker_readings import read_broker  # noqa: PLC0415 (`show` needs no broker client)
    from scripts.commands.topology_differences import MISSING, differences  # noqa: PLC0415

    read = run(read_broker())
    rows = differences(read)
    write_json(rows) if output is Format.JSON else write_table(rows)
    if "overview" in read.unread:
        say(f"types, arguments and bindings were not looked at\n  next: {read.unread['overview'].next}")
    say(f"{counted(len(rows), 'difference')}" if rows else "no difference")
    if rows:
        if any(row["difference"] == MISSING for row in rows):
            say("  next: oms topology declare, as the topology user")
        raise typer.Exit(Code.DIFFERENT)


@app.command("export")
def export(
    *,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", "-f", help="definitions: for RabbitMQ itself; operator: for its topology operator."),
    ] = ExportFormat.DEFINITIONS,
    vhost: Annotated[str, typer.Option(help="The virtual host.")] = "/",
    cluster: Annotated[str, typer.Option(help="The RabbitmqCluster of the operator's resources.")] = "rabbitmq",
    output: Output = Format.TABLE,
) -> None:
    """Print the topology as files of other tools: definitions.json, or resources of the topology operator as YAML.

    Neither has users or passwords; `python -m scripts.servers.users` makes those. The command connects to no server.
    With `-o json` the resources are one JSON list.

    \b
    Examples:
      oms topology export > definitions.json; rabbitmqctl import_definitions definitions.json
      oms topology export --format operator --cluster shop | kubectl apply -f -
    """
    from scripts.commands import topology_files  # noqa: PLC0415

    settings = BrokerSettings(amqp_url="amqp://")
    settings.require_cell()
    wanted = wanted_topology(settings)
    if form is ExportFormat.DEFINITIONS:
        write_json(topology_files.definitions(wanted, vhost))
        return
    made = topology_files.resources(wanted, vhost, cluster)
    write_json(made) if output is Format.JSON else sys.stdout.write(topology_files.as_yaml(made))


def _declare_entry(url: str, settings: BrokerSettings) -> None:
    from scripts.commands import cell_entry as entering  # noqa: PLC0415 (`show` needs no broker client)

    made = run(entering.declare_entry(url, settings.prefix, settings.cells))
    if made is None:
        say("the entry stays as it was until every cell has its queues: declare the topology of each")
        return
    say(f"declared the entry into {len(settings.cells)} cells: {len(made.bindings)} bindings between exchanges")
    if not any(exchange.type == HASH_TYPE for exchange in made.exchanges):
        first = next(iter(settings.cells))
        say(
            f"this broker cannot spread what names no shard, so the cell {first} takes it all and hands it on\n"
            f"  next: {entering.ENABLE}, on each node of the broker, then declare again"
        )


def described_entry(wanted: CellEntry) -> dict[str, list[dict[str, Any]]]:
    """Return the entry into the cells as plain rows."""
    exchanges = [{"name": e.name, "type": e.type, "arguments": e.arguments} for e in wanted.exchanges]
    return {"entry_exchanges": exchanges, "entry_bindings": [asdict(binding) for binding in wanted.bindings]}


def described(wanted: Topology) -> dict[str, list[dict[str, Any]]]:
    """Return the topology as plain rows."""
    return {
        "exchanges": [{"name": e.name, "type": e.type, "arguments": e.arguments} for e in wanted.exchanges],
        "queues": [{"name": q.name, "arguments": q.arguments} for q in wanted.queues],
        "bindings": [{"exchange": b.exchange, "routing_key": b.routing_key, "queue": b.queue} for b in wanted.bindings],
    }


def wanted_topology(settings: BrokerSettings) -> Topology:
    """Return what the broker must have with these settings."""
    return topology(
        settings.names,
        settings.tiers,
        delay_plugin=settings.delay == "plugin",
        warehouses=settings.fulfilment_warehouses,
        carriers=settings.carriers,
        media=settings.notifications,
        history=settings.history,
    )


def _short(arguments: dict[str, Any]) -> str:
    return " ".join(f"{name.removeprefix('x-')}={value}" for name, value in arguments.items()) or "-"
