"""`oms topology` shows and declares the exchanges, queues and bindings that the broker must have."""

from typing import Any

from messages.topology import Names, Topology, topology
from scripts.commands import command_app
from scripts.commands.connections import BrokerSettings, broker_url, run
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app("Show or declare exchanges, queues and bindings.")


@app.command("show")
def show(output: Output = Format.TABLE) -> None:
    """Print the exchanges, queues and bindings of this version.

    The command connects to no server.

    \b
    Examples:
      oms topology show
      oms topology show -o json | jq '.queues[].name'
    """
    wanted = _wanted(BrokerSettings(amqp_url="amqp://"))
    if output is Format.JSON:
        write_json(described(wanted))
        return
    for title, rows in described(wanted).items():
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
    from workers.runtime import declare as declaring  # noqa: PLC0415 (`show` needs no broker client)

    settings = BrokerSettings()
    names, plugin = Names(settings.prefix), settings.delay == "plugin"
    try:
        url = broker_url(settings)
        wanted = run(
            declaring.declare(
                url,
                names,
                settings.tiers,
                delay_plugin=plugin,
                warehouses=settings.fulfilment_warehouses,
                carriers=settings.carriers,
                media=settings.notifications,
                history=settings.history,
            )
        )
    except declaring.TopologyError as error:
        hint = "delete the queue or exchange that differs once it is empty, then declare again"
        raise CommandError(Code.REFUSED, "the broker does not take this topology", why=str(error), hint=hint) from error
    if output is Format.JSON:
        write_json(described(wanted))
    say(f"declared {len(wanted.exchanges)} exchanges, {len(wanted.queues)} queues, {len(wanted.bindings)} bindings")


def described(wanted: Topology) -> dict[str, list[dict[str, Any]]]:
    """Return the topology as plain rows."""
    return {
        "exchanges": [{"name": e.name, "type": e.type, "arguments": e.arguments} for e in wanted.exchanges],
        "queues": [{"name": q.name, "arguments": q.arguments} for q in wanted.queues],
        "bindings": [{"exchange": b.exchange, "routing_key": b.routing_key, "queue": b.queue} for b in wanted.bindings],
    }


def _wanted(settings: BrokerSettings) -> Topology:
    return topology(
        Names(settings.prefix),
        settings.tiers,
        delay_plugin=settings.delay == "plugin",
        warehouses=settings.fulfilment_warehouses,
        carriers=settings.carriers,
        media=settings.notifications,
        history=settings.history,
    )


def _short(arguments: dict[str, Any]) -> str:
    return " ".join(f"{name.removeprefix('x-')}={value}" for name, value in arguments.items()) or "-"
