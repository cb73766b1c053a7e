"""`oms dead-letters status`, `groups`, `list`, `history` and `note`: what failed, and what people did about it."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import age_of, summary
from scripts.commands.letter_filters import LetterOptions, filtered, refuse_unknown
from scripts.commands.listings import ListFormat, ListOutput, write_list
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import reason_to_record
from scripts.screens.layout import Column
from workers.store import dead_letter_lists, dead_letters
from workers.store.dead_letter_lists import LetterFilter, LetterGroup


class GroupBy(StrEnum):
    """What letters of one group have in common."""

    FINGERPRINT = "fingerprint"
    TYPE = "type"
    EXCEPTION = "exception"
    QUEUE = "queue"
    REASON = "reason"
    VERSION = "version"


KEYS: Mapping[GroupBy, Callable[[LetterGroup], tuple[str | None, ...]]] = {
    GroupBy.FINGERPRINT: lambda one: (one.name, one.queue, one.type, one.reason, one.error_type),
    GroupBy.TYPE: lambda one: (one.type,),
    GroupBy.EXCEPTION: lambda one: (one.error_type,),
    GroupBy.QUEUE: lambda one: (one.queue,),
    GroupBy.REASON: lambda one: (one.reason,),
    GroupBy.VERSION: lambda one: (one.worker_version,),
}

GROUP_COLUMNS = (
    Column("group"),
    Column("letters"),
    Column("type", least=16),
    Column("reason", least=7),
    Column("notes", least=14),
    *(Column(name, extra=True) for name in ("queue", "error", "newest", "last_hour", "oldest", "versions")),
)
"""The columns of groups, the most important first: a narrow terminal leaves out the last."""

STATUS_COLUMNS = (
    Column("queue", least=16),
    Column("open"),
    Column("oldest"),
    Column("groups"),
    Column("largest"),
    *(Column(name, extra=True) for name in ("largest_reason", "newest", "last_hour")),
)
"""The columns of the status, in the same way: a person copies the largest group."""

LIST_COLUMNS = (
    Column("id"),
    Column("queue", least=12),
    Column("type", least=16),
    Column("reason", least=10),
    Column("age"),
    *(Column(name, extra=True) for name in ("error", "state", "attempts", "repeats")),
)
"""The columns of letters, in the same way."""


def status(
    *,
    max_open: Annotated[int | None, typer.Option(min=0, help="Exit with 3 if a queue has more.")] = None,
    max_age_minutes: Annotated[int | None, typer.Option(min=1, help="Exit with 3 if a letter is older.")] = None,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """Show the open dead letters of each queue: how many, how old, in how many groups, which is the largest.

    \b
    Examples:
      oms dead-letters status
      oms dead-letters status --max-open 0 || echo "look at dead letters"
    """

    async def work() -> list[LetterGroup]:
        async with connected() as tx:
            return await dead_letter_lists.groups(tx, LetterFilter(state=dead_letters.OPEN))

    by_queue: dict[str, list[LetterGroup]] = defaultdict(list)
    for one in run(work()):
        by_queue[one.queue].append(one)
    rows = [_queue_row(queue, found) for queue, found in by_queue.items()]
    rows.sort(key=lambda row: -int(row["open"]))
    write_list(rows, output, _with_ages, key="queue", columns=STATUS_COLUMNS)
    total = sum(row["open"] for row in rows)
    say(counted(total, "open dead letter"))
    limit = timedelta(minutes=max_age_minutes or 0)
    many = max_open is not None and any(row["open"] > max_open for row in rows)
    old = max_age_minutes is not None and any(datetime.now(UTC) - row["oldest"] > limit for row in rows)
    if many or old:
        raise CommandError(Code.DIFFERENT, "dead letters wait", why=f"{total} are open", hint="oms dead-letters groups")


def _queue_row(queue: str, found: Sequence[LetterGroup]) -> dict[str, Any]:
    largest = max(found, key=lambda one: one.count)
    return {
        "queue": queue,
        "open": sum(one.count for one in found),
        "last_hour": sum(one.last_hour for one in found),
        "groups": len({KEYS[GroupBy.FINGERPRINT](one) for one in found}),
        "largest": largest.name,
        "largest_reason": largest.reason,
        "oldest": min(one.oldest for one in found),
        "newest": max(one.newest for one in found),
    }


def _with_ages(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: age_of(value) if isinstance(value, datetime) else value for name, value in row.items()}


@filtered
def groups(
    *,
    options: LetterOptions,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    by: Annotated[GroupBy, typer.Option(help="What letters of a group have in common.")] = GroupBy.FINGERPRINT,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """Show letters that failed alike as one line, the largest group first.

    A group is a fingerprint: of the error with the functions that it came through, of a verdict's reason, or of what is
    wrong at which place of a body. The commands below take it as --group.

    \b
    Examples:
      oms dead-letters groups
      oms dead-letters groups --since 2h --by exception
      oms dead-letters replay --group 3f2a9c01d4e5b677 --reason "..." --dry-run
    """

    query = options.build(datetime.now(UTC))

    async def work() -> list[dict[str, Any]]:
        async with connected() as tx:
            found = await dead_letter_lists.groups(tx, await query.narrowed(tx))
            if not found:
                await refuse_unknown(tx, options)
            rows = group_rows(found, by)
            written = await dead_letters.notes(tx, (one.name for one in found))
            if by is GroupBy.FINGERPRINT:
                rows = [row | {"notes": [note["text"] for note in written.get(row["group"], ())]} for row in rows]
            return rows

    rows = run(work())
    columns = GROUP_COLUMNS if by is GroupBy.FINGERPRINT else ()
    write_list(rows[:limit], output, _shown_group, key=next(iter(rows[0])) if rows else "group", columns=columns)
    total = sum(row["letters"] for row in rows)
    hidden = f", of which the largest {limit} are shown; --limit shows more" if len(rows) > limit else ""
    say(f"{counted(total, 'dead letter')} in {counted(len(rows), 'group')}{hidden}")


def group_rows(found: Sequence[LetterGroup], by: GroupBy) -> list[dict[str, Any]]:
    """Return a row for each group of letters, the largest first."""
    names = ("group", "queue", "type", "reason", "error") if by is GroupBy.FINGERPRINT else (by.value,)
    parts: dict[tuple[str | None, ...], list[LetterGroup]] = defaultdict(list)
    for one in found:
        parts[KEYS[by](one)].append(one)
    rows = [
        dict(zip(names, key, strict=True))
        | {
            "letters": sum(one.count for one in part),
            "last_hour": sum(one.last_hour for one in part),
            "oldest": min(one.oldest for one in part),
            "newest": max(one.newest for one in part),
            "versions": sorted({one.worker_version or "-" for one in part}),
        }
        for key, part in parts.items()
    ]
    return sorted(rows, key=lambda row: -int(row["letters"]))


def _shown_group(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = _with_ages(row)
    if "notes" in shown:
        shown["notes"] = shown["notes"][-1] if shown["notes"] else None
    return shown


@filtered
def list_(
    *,
    options: LetterOptions,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """List dead letters, the newest first, without personal data.

    Filters that are repeated take either value; different filters must all fit.

    \b
    Examples:
      oms dead-letters list
      oms dead-letters list --queue order-creation --reason invalid
      oms dead-letters list --since 2h --attempts '>3' --where 'items.*.qty>5'
      oms dead-letters list --user u1 --state any -o json | jq '.[].id'
    """

    query = options.build(datetime.now(UTC))

    async def work() -> tuple[list[dict[str, Any]], int]:
        async with connected() as tx:
            wanted = await query.narrowed(tx)
            rows = await dead_letter_lists.find(tx, wanted, limit)
            if not rows:
                await refuse_unknown(tx, options)
            if len(rows) < limit:
                return rows, len(rows)
            return rows, await dead_letter_lists.count(tx, wanted)

    rows, total = run(work())
    write_list(rows, output, summary, columns=LIST_COLUMNS)
    hidden = f", of which the newest {len(rows)} are shown; --limit shows more" if total > len(rows) else ""
    say(counted(total, "dead letter") + hidden)


def note(
    group: Annotated[str, typer.Argument(help="The group that `oms dead-letters groups` shows.")],
    text: Annotated[str, typer.Argument(help="What the next person should know. No personal data.")],
    *,
    output: Output = Format.TABLE,
) -> None:
    """Write a note about the letters of a group; `groups` and `show` show it.

    \b
    Examples:
      oms dead-letters note 3f2a9c01d4e5b677 "OPS-77: waits for release 1.4"
    """
    given = reason_to_record(
        text, f"oms dead-letters note {group} '...'", why="it is what the next person reads", what="note"
    )
    notes = run(write_note(group, given, person()))
    write_json(notes) if output is Format.JSON else write_table(notes)
    say(f"noted about {group}")


async def write_note(group: str, text: str, note: str) -> list[dict[str, Any]]:
    """Keep what the person `note` notes about a group, and return all. Raises CommandError for an unknown group."""
    async with connected() as tx:
        if not await dead_letter_lists.groups(tx, LetterFilter(groups=[group])):
            raise CommandError(Code.NOTHING, f"there is no group {group}", hint="oms dead-letters groups --state any")
        await dead_letters.add_note(tx, group, text, note)
        return (await dead_letters.notes(tx, [group]))[group]


def history(
    *,
    actor: Annotated[str | None, typer.Option(help="Only of this database user, or with this note.")] = None,
    since: Annotated[str | None, typer.Option(help="Since then: 30m, 2h, 3d ago, or a time.")] = None,
    action: Annotated[str | None, typer.Option(help="replay, discard, restore, edit, import, note or reveal.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """Show who did what to which dead letters, and why, the newest first: also who saw one in clear.

    \b
    Examples:
      oms dead-letters history
      oms dead-letters history --actor ana --since 7d --action reveal -o json
    """
    query = LetterOptions(since=since).build(datetime.now(UTC))

    async def work() -> list[dict[str, Any]]:
        async with connected() as tx:
            return await dead_letter_lists.history(tx, actor, query.wanted.since, action, limit)

    rows = run(work())
    write_list(rows, output, key="dead_letter_id")
    say(counted(len(rows), "decision"))
