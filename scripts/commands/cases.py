"""`oms cases` lists after-sale cases, those that wait longest first, and shows one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from db.pool import Transaction
from messages.after_sale_queries import (
    PAGE_MAX_CASES,
    AfterSaleDescribed,
    AfterSaleGet,
    AfterSaleList,
    AfterSaleListed,
    CaseShown,
)
from messages.base import Reply
from messages.envelope import Envelope
from scripts.commands import command_app
from scripts.commands.connections import connected, person, run
from scripts.commands.output import Format, Output, write_json
from scripts.commands.pages import write_page
from scripts.commands.problems import Code, CommandError
from scripts.commands.queries import answered, operator
from scripts.commands.recorded_reasons import reason_to_record
from scripts.screens import layout
from scripts.screens.case_screen import case_screen, cases_screen
from workers.services.case_answers import answer_about_cases
from workers.services.case_pages import answer_case_lists
from workers.store import accesses

app = command_app("List after-sale cases, and show one.")


@app.command("list")
def list_cases(
    *,
    state: Annotated[list[str] | None, typer.Option(help="Only cases in this state; may be repeated.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="refund_only, return_refund or exchange.")] = None,
    user: Annotated[str | None, typer.Option(help="Only cases of this user.")] = None,
    order: Annotated[str | None, typer.Option(help="Only cases of this order: its id, number or UUID.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only cases that were applied for since then (UTC).")] = None,
    newest: Annotated[bool, typer.Option("--newest", help="The newest first, and also those that have ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX_CASES, help="Show at most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on after a page that ended with this.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List the cases that have not ended, the one that waits longest first.

    JSON has the fields of after_sale.listed.

    \b
    Examples:
      oms cases list
      oms cases list --state requested --state reopened
      oms cases list --newest --user ada -o json | jq '.cases[].case_no'
    """
    wanted = {
        "user_id": user,
        "states": tuple(state or ()),
        "type": kind,
        "order": order,
        "requested_from": None if since is None else since.replace(tzinfo=UTC),
        "sort": "newest" if newest else "waiting",
        "limit": limit,
        "cursor": cursor,
    }

    found = run(ask_cases(wanted))
    lines = cases_screen(found.cases, layout.screen_columns())
    write_page(found, lines, output, noun="case", count=len(found.cases), cursor=found.next_cursor)


async def ask_cases(wanted: Mapping[str, Any]) -> AfterSaleListed:
    """Return a page of cases that fit the fields of after_sale.list. Raises CommandError if one makes no sense."""
    try:
        body = AfterSaleList.model_validate({"actor": operator(), **wanted})
    except ValidationError as error:
        fields = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False)}))
        why = f"after_sale.list does not take it as {fields}"
        raise CommandError(Code.FAILED, "a filter makes no sense", why=why, hint="oms cases list --help") from None
    async with connected() as tx:
        return await answered(tx, body, answer_case_lists, AfterSaleListed, hint="oms cases list --help")


@app.command("show")
def show(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The number or the id of the case.")],
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show what people wrote, in clear; it is recorded.")] = False,
    reason: Annotated[str, typer.Option(help="With --reveal: why you must see it.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Show one case: how it stands, its lines, its refunds and its steps.

    What people wrote, and the evidence, are masked unless --reveal is given: then table address_accesses records who
    looked, when and why. JSON has the fields of a case of after_sale.described.

    \b
    Examples:
      oms cases show 202611299000000001
      oms cases show 202611299000000001 --reveal --reason "review of the complaint"
      oms cases show 202611299000000001 -o json | jq '.steps[].trigger'
    """
    hint = f"oms cases show {case} --reveal --reason '...'"
    if not reveal and reason:
        raise CommandError(Code.FAILED, "a reason is for --reveal only", hint=hint)
    if reveal:
        reason = reason_to_record(reason, hint, why="it is recorded who sees what people wrote, when and why")
    shown, now = run(read_case(case, reason if reveal else None, person()))
    if output is Format.JSON:
        write_json(shown.model_dump(mode="json"))
        return
    layout.write(case_screen(shown, now, layout.screen_columns()))


async def read_case(case: str, reason: str | None, note: str) -> tuple[CaseShown, datetime]:
    """Return a case, and the time of the database; with a reason in clear, which is recorded and committed first.

    Raises CommandError if there is no such case.
    """
    hint = "oms cases list --newest, or oms order show ORDER, which has the cases of an order"
    try:
        asking = AfterSaleGet(actor=operator(), case=case)
    except ValidationError:
        raise CommandError(Code.NOTHING, f"no case {case[:100]}", hint=hint) from None
    async with connected() as tx:
        revealed = 0
        if reason is not None:
            async with tx.transaction():
                masked = await answered(tx, asking, answer_about_cases, AfterSaleDescribed, hint=hint)
                revealed = int(masked.cases[0].order_id)
                await accesses.of_order(tx, revealed, note=note, reason=reason, what="case")
        async with tx.transaction(isolation="repeatable_read", readonly=True):
            now = await tx.fetchval("SELECT clock_timestamp()")

            async def answer(tx: Transaction, items: Sequence[Envelope[AfterSaleGet]]) -> list[Reply]:
                return await answer_about_cases(tx, items, {id(item): revealed for item in items if reason})

            [shown] = (await answered(tx, asking, answer, AfterSaleDescribed, hint=hint)).cases
            return shown, now
