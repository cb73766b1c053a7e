"""`oms payments` compares a provider's statement with the database, and shows the notifications of providers."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from db.cipher import ERASED, CipherError, ErasedError
from messages.base import without_subject
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.domain.money import render
from workers.domain.reconciliation import Comparison, compare
from workers.providers import statements
from workers.providers.configuration import KINDS, ProviderConfigError, make
from workers.providers.port import Provider, StatementError
from workers.services.reconciliation import DayStatement, ledgers
from workers.settings import Settings
from workers.store import notifications, reconciliation, refunds
from workers.views.redaction import body_shown, headers_shown

app = command_app("Compare provider statements, show provider notifications.")
YEARS = range(2000, 2200)
Owners = Mapping[tuple[str, str], int]
"""(provider, number of an attempt or a refund) -> id of its order."""


class StatementSettings(Settings):
    """The settings of a worker, without the broker."""

    amqp_url: SecretStr = SecretStr("")


@app.command("reconcile")
def reconcile(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file of the provider, unchanged; - reads stdin.")],
    *,
    provider: Annotated[str, typer.Option(help=f"The provider: {', '.join(KINDS)}.")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The day of the statement.")],
    output: Output = Format.TABLE,
) -> None:
    """Compare a provider's day statement with the live database.

    The command only reads, and exits with 3 when they differ. It uses OMS_BUSINESS_TIME_ZONE and the settings of the
    provider (OMS_ALIPAY ...) as the workers do. The message payment.reconcile does the same comparison; it also records
    the statement and announces every difference.

    \b
    Examples:
      oms payments reconcile bill.csv --provider alipay --day 2026-11-21
      oms payments reconcile - --provider wechat --day 2026-11-21 < bill.csv
      oms payments reconcile bill.csv --provider wechat --day 2026-11-21 -o json
    """
    settings = StatementSettings()
    statement = read(_provider(provider, settings), file, day.date())
    comparison, owners = run(compared(statement, settings.business_time_zone))
    _report(statement, comparison, owners, output)
    if comparison.differences:
        next_ = "oms order show ORDER_ID, or oms payments notifications --about NUMBER"
        say(f"oms: {counted(len(comparison.differences), 'difference')}\n  next: {next_}")
        raise typer.Exit(Code.DIFFERENT)
    say("the statement agrees with the database")


def _provider(name: str, settings: Settings) -> Provider:
    """Return the provider, configured as in the workers. Raises CommandError if it is unknown or not configured."""
    if name not in KINDS:
        hint = f"--provider is one of {', '.join(KINDS)}"
        raise CommandError(Code.FAILED, f"there is no provider {name}", hint=hint)
    given: SecretStr | None = getattr(settings, name)
    variable = f"OMS_{name.upper()}"
    if given is None:
        hint = f"export {variable}=file:PATH, as the workers have it"
        raise CommandError(
            Code.FAILED, f"{variable} is not set", why="it holds the merchant that the statement must be of", hint=hint
        )
    try:
        return make(name, given.get_secret_value())
    except ProviderConfigError as error:
        raise CommandError(Code.FAILED, f"{variable} cannot be used", why=str(error)) from error


def read(provider: Provider, file: str, day: date) -> DayStatement:
    """Read the statement in a file. Raises CommandError if it cannot be read or is of another provider or day."""
    if day.year not in YEARS:
        raise CommandError(
            Code.FAILED,
            f"{day} is not a day of a statement",
            why="its year is not from 2000 to 2199",
            hint="--day 2026-11-21",
        )
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        why = f"{type(error).__name__}: {error.strerror}"
        hint = "give a file, or - for stdin"
        raise CommandError(Code.FAILED, f"{file} cannot be read", why=why, hint=hint) from error
    try:
        rows = statements.read(provider, content, day)
    except StatementError as error:
        what = f"{file} is not a statement of {provider.name} for {day}"
        hint = "give the file unchanged, with the --provider that wrote it and the --day that it is of"
        raise CommandError(Code.FAILED, what, why=str(error), hint=hint) from error
    return DayStatement(provider.name, day, blake2b(content, digest_size=32).digest(), rows)


async def compared(statement: DayStatement, time_zone: str) -> tuple[Comparison, Owners]:
    """Compare the statement with the database as of one moment; find the orders of lines that the database lacks."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        entries = await ledgers(tx, [statement], time_zone)
        found = compare(statement.rows, entries.get(statement.provider, ()), statement.day)
        numbers = [(statement.provider, each.number) for each in found.differences if each.number and not each.order_id]
        return found, await reconciliation.owners(tx, numbers)


def _report(statement: DayStatement, comparison: Comparison, owners: Owners, output: Format) -> None:
    head = {
        "provider": statement.provider,
        "day": statement.day.isoformat(),
        "rows": len(statement.rows),
        "matched": comparison.matched,
    }
    found = [
        asdict(each) | {"order_id": each.order_id or owners.get((statement.provider, each.number or ""))}
        for each in comparison.differences
    ]
    if output is Format.JSON:
        write_json(head | {"differences": found})
        return
    write_table([head | {"differences": len(found)}])
    write_table([_row(each) for each in found], title="\ndifferences")


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a difference, with amounts in major units."""
    theirs = found["their_currency"] or found["currency"]
    return {
        "line": found["line"],
        "difference": found["kind"],
        "of": found["movement"],
        "number": found["number"],
        "trade_no": found["trade_no"],
        "ours": _money(found["ours"], found["currency"]),
        "theirs": _money(found["theirs"], theirs),
        "order_id": found["order_id"],
    }


def _money(amount: int | None, currency: str) -> str | None:
    return None if amount is None else f"{render(amount, currency)} {currency}"


@app.command("excess")
def show_excess(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many, the oldest first.")] = 100,
    output: Output = Format.TABLE,
) -> None:
    """List the refunds that went above what was left of their captures: money to get back.

    Each refund's buyer has `excess` more than the order's share of the capture.

    \b
    Examples:
      oms payments excess
      oms payments excess -o json | jq '.[].order_id'
    """

    async def work() -> tuple[list[dict[str, Any]], int]:
        async with connected() as tx:
            _, _, count = await refunds.backlog(tx)
            return await refunds.in_excess(tx, limit), count

    found, count = run(work())
    if output is Format.JSON:
        write_json(found)
    else:
        write_table([_excess_row(one) for one in found])
    say(f"{counted(count, 'refund')} above what was captured" + (f", {len(found)} shown" if count > len(found) else ""))


def _excess_row(found: Mapping[str, Any]) -> dict[str, Any]:
    currency = found["currency"]
    return {
        "order_id": found["order_id"],
        "refund_no": found["refund_no"],
        "amount": _money(found["amount"], currency),
        "excess": _money(found["excess_amount"], currency),
        "provider": found["provider"],
        "trade_no": found["trade_no"],
        "cause": without_subject(found["cause"]),
        "finished_at": found["finished_at"],
    }


@app.command("notifications")
def show_notifications(
    *,
    about: Annotated[str | None, typer.Option(metavar="NUMBER", help="Our number of an attempt or refund.")] = None,
    id: Annotated[int | None, typer.Option(help="The notification_id of a payment.callback_rejected.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show the notifications of providers as they arrived.

    They are evidence in a dispute. Buyers, cards and secrets are masked.

    \b
    Examples:
      oms payments notifications --about P382808400870244771
      oms payments notifications --id 382808400870244999 -o json | jq '.[].body'
    """
    if (about is None) == (id is None):
        raise CommandError(
            Code.FAILED, "give --about NUMBER or --id ID, one of them", hint="oms payments notifications --help"
        )

    async def work() -> list[dict[str, Any]]:
        async with connected() as tx:
            ids, numbers = [id] if id is not None else [], [about] if about is not None else []
            return [_shown(one) for one in await notifications.find(tx, ids=ids, numbers=numbers)]

    found = run(work())
    if not found:
        what = f"with id {id}" if about is None else f"about {about}"
        hint = "oms order show ORDER_ID, which shows the numbers that we gave to the provider"
        why = "none was accepted as genuine, or it is older than OMS_BELIEVED_NOTIFICATIONS_RETENTION_DAYS"
        raise CommandError(Code.NOTHING, f"no notification {what}", why=why, hint=hint)
    _write_notifications(found, output)


def _shown(one: notifications.StoredNotification) -> dict[str, Any]:
    known = {
        "id": one.id,
        "provider": one.provider,
        "verdict": one.verdict,
        "code": one.code,
        "about": one.about,
        "copies": one.copies,
        "received_at": one.received_at,
        "recorded_at": one.recorded_at,
    }
    try:
        headers, body = one.decrypt()
    except ErasedError:
        return known | {"headers": {}, "body": ERASED}
    except CipherError as error:
        return known | {"headers": {}, "body": {"unreadable": str(error)}}
    return known | {"headers": headers_shown(headers), "body": body_shown(body.decode("utf-8", "backslashreplace"))}


def _write_notifications(found: Sequence[Mapping[str, Any]], output: Format) -> None:
    if output is Format.JSON:
        write_json(found)
        return
    nested = ("headers", "body")
    write_table([{name: value for name, value in one.items() if name not in nested} for one in found])
    for one in found:
        for name in nested:
            typer.echo(f"\n{one['id']} {name}")
            write_json(one[name])
