"""Writes what `oms doctor` and `oms worker --dry-run` have found."""

from collections.abc import Sequence

from scripts.commands.health_checks import CheckResult, Diagnosis
from scripts.commands.output import say, write_table


def report(results: Sequence[CheckResult]) -> None:
    """Write what was found as a table, and to stderr each finding with its reason and what to type next."""
    write_table(
        [
            {"section": one.section, "check": one.check, "diagnosis": one.diagnosis.value, "found": one.found}
            for one in results
        ]
    )
    for one in results:
        if one.diagnosis is Diagnosis.WRONG:
            say(f"oms: {one.section}, {one.check}: {one.found}\n  why:  {one.why}\n  next: {one.next}")
    unseen = [one for one in results if one.diagnosis is Diagnosis.UNSEEN]
    for next in dict.fromkeys(one.next for one in unseen):
        checks = ", ".join(one.check for one in unseen if one.next == next)
        say(f"oms: not looked at: {checks}\n  next: {next}")
