"""`oms disputes` lists buyers' disputes, those that have to be answered first, and shows one."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from messages.dispute_queries import (
    PAGE_MAX_DISPUTES,
    DisputeDescribed,
    DisputeGet,
    DisputeList,
    DisputeListed,
)
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.output import Format, Output, write_json
from scripts.commands.pages import write_page
from scripts.commands.problems import Code, CommandError
from scripts.commands.queries import answered, operator
from scripts.screens import layout
from scripts.screens.dispute_screen import dispute_screen, disputes_screen
from workers.services.dispute_answers import answer_about_disputes, answer_dispute_lists

app = command_app("List buyers' disputes, and show one.")


@app.command("list")
def list_disputes(
    *,
    state: Annotated[list[str] | None, typer.Option(help="Only disputes in this state; may be repeated.")] = None,
    order: Annotated[str | None, typer.Option(help="Only disputes of this order: its id, number or UUID.")] = None,
    due_before: Annotated[datetime | None, typer.Option(help="Only those to be answered before then (UTC).")] = None,
    newest: Annotated[bool, typer.Option("--newest", help="All, those whose state changed last first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX_DISPUTES, help="Show at most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on after a page that ended with this.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List the disputes that have to be answered, the nearest date first.

    JSON has the fields of dispute.listed.

    \b
    Examples:
      oms disputes list
      oms disputes list --due-before 2026-12-01
      oms disputes list --newest --state lost -o json | jq '.disputes[].dispute_no'
    """
    wanted = {
        "states": tuple(state or (() if newest else ("opened",))),
        "order": order,
        "due_before": None if due_before is None else due_before.replace(tzinfo=UTC),
        "sort": "newest" if newest else "due",
        "limit": limit,
        "cursor": cursor,
    }

    async def work() -> DisputeListed:
        body = DisputeList.model_validate({"actor": operator()} | wanted)
        async with connected() as tx:
            return await answered(tx, body, answer_dispute_lists, DisputeListed, hint="oms disputes list --help")

    found = run(work())
    lines = disputes_screen(found.disputes, layout.screen_columns())
    write_page(found, lines, output, noun="dispute", count=len(found.disputes), cursor=found.next_cursor)


@app.command("show")
def show(
    dispute: Annotated[str, typer.Argument(metavar="DISPUTE", help="The number that the provider gave it.")],
    *,
    provider: Annotated[str | None, typer.Option(help="Only the dispute of this provider.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show one dispute: how it stands, until when to answer, and what was submitted against it.

    Phone numbers in what people wrote are masked. JSON has the fields of a dispute of dispute.described.

    \b
    Examples:
      oms disputes show PP-D-27803
      oms disputes show PP-D-27803 -o json | jq '.evidence[].references'
    """

    async def work() -> tuple[DisputeDescribed, datetime]:
        body = DisputeGet(actor=operator(), dispute_no=dispute, provider=provider)
        async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
            now = await tx.fetchval("SELECT clock_timestamp()")
            hint = "oms disputes list --newest"
            return await answered(tx, body, answer_about_disputes, DisputeDescribed, hint=hint), now

    found, now = run(work())
    if len(found.disputes) > 1:
        which = " or ".join(f"--provider {one.provider}" for one in found.disputes)
        raise CommandError(Code.FAILED, "several providers have a dispute with this number", hint=f"add {which}")
    [shown] = found.disputes
    if output is Format.JSON:
        write_json(shown.model_dump(mode="json"))
        return
    layout.write(dispute_screen(shown, now, layout.screen_columns()))
