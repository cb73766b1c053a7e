"""`oms worker`: handles messages."""

from collections.abc import Sequence
from typing import Annotated

import typer

from messages.topology import TAKEN
from scripts.commands import command_app
from scripts.commands.connecting import process_settings
from scripts.commands.problems import Code, CommandError
from workers.app import main as serve
from workers.routes import ROUTES
from workers.runtime.declare import TopologyError

DEAD_LETTERS = "dead-letters"  # stands for every <queue>.dlq and for unrouted
app = command_app()


@app.command()
def worker(
    queues: Annotated[
        str,
        typer.Option(envvar="OMS_QUEUES", help="Comma-separated, without the prefix; `dead-letters` collects those."),
    ] = "",
) -> None:
    """Handle the messages of all queues, or of some, until SIGTERM.

    \b
    Examples:
      oms worker
      oms worker --queues stock,stock-results
      oms worker --queues dead-letters
    """
    served = chosen(queues, [route.queue for route in ROUTES])
    process_settings()
    try:
        serve(served)
    except TopologyError as error:
        hint = "oms topology declare"
        raise CommandError(Code.FAILED, "the broker is not set up", why=str(error), hint=hint) from error


def chosen(queues: str, known: Sequence[str]) -> tuple[str, ...]:
    """The queues named in a comma-separated text. Raises CommandError for one that nobody serves."""
    named = [name.strip() for name in queues.split(",") if name.strip()]
    parked = [name for name in known if name not in TAKEN]
    unknown = sorted({*named} - {*known, DEAD_LETTERS})
    if unknown:
        why = f"there is: {', '.join([*TAKEN, DEAD_LETTERS])}"
        raise CommandError(
            Code.FAILED, f"no handler serves {', '.join(unknown)}", why=why, hint="oms worker --queues stock"
        )
    return tuple(queue for name in named for queue in (parked if name == DEAD_LETTERS else [name]))
