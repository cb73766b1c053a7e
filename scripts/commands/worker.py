"""`oms worker` handles the messages of the queues."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated

import typer

from messages.topology import messages_of
from outbox.declare import TopologyError
from scripts.commands import command_app
from scripts.commands.connections import BrokerSettings, process_settings
from scripts.commands.output import Format, Output
from scripts.commands.problems import Code, CommandError
from workers.app import main as serve
from workers.routes import ROUTES, with_carriers, with_media

DEAD_LETTERS = "dead-letters"  # stands for every <queue>.dlq and for the unrouted queue
app = command_app()


@app.command()
def worker(
    queues: Annotated[
        str,
        typer.Option(
            envvar="OMS_QUEUES",
            help="Queues, comma-separated, without prefix; `dead-letters` is every *.dlq. Default: all.",
        ),
    ] = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Handle nothing: check what a worker needs, and list its queues.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Handle the messages of all queues or of some, until SIGTERM.

    Any number of workers may serve a queue. Needs OMS_DATABASE_URL, OMS_AMQP_URL and OMS_ENCRYPTION_KEYS.
    With --dry-run it consumes and writes nothing: it checks settings, keys, database, schema, privileges, broker,
    exchanges and queues (with OMS_MANAGEMENT_URL also the permissions of its broker user), prints the queues that it
    would serve, and exits with 0, with 1 for wrong settings, 3 if something is wrong, 5 if a server does not answer.

    \b
    Examples:
      oms worker
      oms worker --queues stock,stock-results
      oms worker --queues dead-letters
      oms worker --queues stock --dry-run
    """
    shop = BrokerSettings(amqp_url="amqp://")
    known = with_media(with_carriers(ROUTES, shop.carriers), shop.notifications)
    served = chosen(queues, [route.queue for route in known])
    process_settings()
    if dry_run:
        from scripts.commands.worker_check import check_worker  # noqa: PLC0415 (a worker starts without its modules)

        check_worker(served, output)
        return
    try:
        serve(served)
    except TopologyError as error:
        hint = "oms topology declare"
        raise CommandError(Code.FAILED, "the broker is not set up", why=str(error), hint=hint) from error


def chosen(queues: str, known: Sequence[str]) -> tuple[str, ...]:
    """Split a comma-separated text into queues. Raises CommandError for a queue that no handler serves."""
    named = [name.strip() for name in queues.split(",") if name.strip()]
    parked = [name for name in known if not messages_of(name)]
    unknown = sorted({*named} - {*known, DEAD_LETTERS})
    if unknown:
        taken = [*(name for name in known if name not in parked), DEAD_LETTERS]
        close = get_close_matches(unknown[0], taken, n=1)
        raise CommandError(
            Code.FAILED,
            f"no handler serves {', '.join(unknown)}",
            why=f"the queues are: {', '.join(taken)}",
            hint=f"oms worker --queues {close[0] if close else 'stock'}",
        )
    return tuple(queue for name in named for queue in (parked if name == DEAD_LETTERS else [name]))
