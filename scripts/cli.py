"""`oms`: what people type. One module per command group in scripts/commands."""

import logging
import sys
from collections.abc import Sequence

import typer
from typer.main import get_command

from scripts.commands import audit, dead_letters, order, payments, processes, publish, topology
from scripts.commands.problems import Code, explain

app = typer.Typer(
    name="oms",
    help="Order management: run it, look into it, repair it. Every command reads the OMS_* settings.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("worker")(processes.worker)
app.command("relay")(processes.relay)
app.command("migrate")(processes.upgrade)
app.command("audit")(audit.audit)
app.command("publish")(publish.publish)
app.add_typer(processes.keys, name="keys")
app.add_typer(topology.app, name="topology")
app.add_typer(order.app, name="order")
app.add_typer(payments.app, name="payments")
app.add_typer(dead_letters.app, name="dead-letters")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. A traceback is a defect of ours and nothing else."""
    logging.getLogger("aiormq").addHandler(logging.NullHandler())  # its news about errors repeats ours
    try:
        code = get_command(app).main(arguments, prog_name="oms", standalone_mode=False)
        return int(code or 0)
    except (KeyboardInterrupt, typer.Abort):
        print("oms: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has enough: no complaint about what is left to flush
        return Code.OK
    except typer.TyperException as error:
        said = error.format_message()
        print(said if said.startswith("Usage") else f"oms: {said}\n  next: oms --help", file=sys.stderr)
        return Code.FAILED
    except Exception as error:
        problem = explain(error)
        if problem is None:
            raise
        print(problem.text, file=sys.stderr)
        return problem.code


if __name__ == "__main__":
    sys.exit(main())
