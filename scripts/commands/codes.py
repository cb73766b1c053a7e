"""`oms codes` lists the codes of rejections and alerts, with their numbers."""

from difflib import get_close_matches
from typing import Annotated

import typer

from scripts.commands import command_app
from scripts.commands.code_meanings import numbered_codes
from scripts.commands.output import Format, Output, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app()


@app.command()
def codes(
    wanted: Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Codes or their numbers.")] = None,
    *,
    output: Output = Format.TABLE,
) -> None:
    """List the codes of rejections and alerts, with numbers and meanings.

    The level says whether a code rejects what someone sent, alerts the people who run the shop, or both.

    \b
    Examples:
      oms codes
      oms codes ORDER_HELD 108002
      oms codes -o json | jq '.[] | select(.level != "rejection")'
    """
    found = known = numbered_codes()
    if wanted:
        found = [row for row in known if {row["code"], str(row["number"])} & set(wanted)]
        missing = [one for one in wanted if all(one not in {row["code"], str(row["number"])} for row in found)]
        if missing:
            close = get_close_matches(missing[0].upper(), [str(row["code"]) for row in known], n=1)
            raise CommandError(Code.NOTHING, f"no code is {' or '.join(missing)}", hint=" ".join(["oms codes", *close]))
    write_json(found) if output is Format.JSON else write_table(found)
