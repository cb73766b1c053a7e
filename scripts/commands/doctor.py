"""`oms doctor` looks at a deployment, and says what is wrong, why it matters and what to type next."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from scripts.commands import command_app
from scripts.commands.broker_health import BROKER_CHECKS
from scripts.commands.broker_readings import BrokerReadings, read_broker
from scripts.commands.connections import run
from scripts.commands.database_health import DATABASE_CHECKS, DatabaseReadings, read_database
from scripts.commands.explanations import explain
from scripts.commands.health_checks import CheckResult, Diagnosis, HealthCheck
from scripts.commands.health_report import report
from scripts.commands.output import Format, Output, counted, say, write_json
from scripts.commands.problems import Code, CommandError

app = command_app()
FINDINGS, CANNOT_LOOK = 1, 2
"""Exit codes of this command alone, which monitoring runs: something is wrong; a server could not be looked at."""
SECTIONS: dict[str, tuple[Callable[[], Awaitable[Any]], Sequence[HealthCheck[Any]]]] = {
    "database": (read_database, DATABASE_CHECKS),
    "broker": (read_broker, BROKER_CHECKS),
}
"""Server -> how it is read, and what is looked at in what was read."""


@app.command()
def doctor(
    *,
    section: Annotated[
        list[str] | None, typer.Option(help=f"Only this one: {', '.join(SECTIONS)}. May be repeated.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Look at a deployment, and say what is wrong, why it matters and what to type next.

    The command only reads. It looks at the database (OMS_DATABASE_URL) and at the broker (OMS_AMQP_URL), with the
    settings of the workers. OMS_MANAGEMENT_URL shows it more of the broker; what it cannot look at it lists as such.
    It exits with 0 if all is well, with 1 if something is wrong, and with 2 if it could not look at a server at all.

    \b
    Examples:
      oms doctor
      oms doctor --section database
      OMS_MANAGEMENT_URL=http://oms-oncall:secret@broker:15672 oms doctor
      oms doctor -o json | jq '.[] | select(.diagnosis == "wrong")'
    """
    if unknown := sorted(set(section or ()) - SECTIONS.keys()):
        why = f"the sections are: {', '.join(SECTIONS)}"
        raise CommandError(Code.FAILED, f"there is no section {unknown[0]}", why=why, hint="oms doctor")
    results, unreadable = run(_look(section or SECTIONS))
    if output is Format.JSON:
        write_json([asdict(result) for result in results])
    else:
        report(results)
    numbers = Counter(result.diagnosis for result in results)
    found = numbers[Diagnosis.WRONG]
    say(f"{counted(found, 'finding') if found else 'no finding'}, {numbers[Diagnosis.UNSEEN]} not looked at")
    if unreadable or found:
        raise typer.Exit(CANNOT_LOOK if unreadable else FINDINGS)


async def _look(sections: Iterable[str]) -> tuple[list[CheckResult], list[str]]:
    """Return what was found in each section, and the sections that could not be read."""
    results, unreadable = list[CheckResult](), list[str]()
    wanted, paused = set(sections), frozenset[str]()
    for section in (name for name in SECTIONS if name in wanted):  # the database is first, because it has the pauses
        read, checks = SECTIONS[section]
        try:
            readings = await read()
        except Exception as error:
            problem = explain(error)
            if problem is None:
                raise
            found = f"{problem}: {problem.why}" if problem.why else str(problem)
            why = "nothing of it could be looked at"
            results.append(CheckResult(section, "reading", Diagnosis.WRONG, found, why, problem.hint))
            unreadable.append(section)
        else:
            match readings:
                case DatabaseReadings(pauses=pauses):
                    paused = frozenset(one["queue"] for one in pauses)
                case BrokerReadings():
                    readings = replace(readings, paused=paused)
            results += [check.result(section, readings) for check in checks]
    return results, unreadable
