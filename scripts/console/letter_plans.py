"""A plan about dead letters as a page shows it: what is done later is exactly that plan, or nothing.

The selection is frozen when it is shown. Its ages count from then, and letters that come afterwards are left out, so
that a group that still grows can be decided. A letter that was decided or died again meanwhile makes it another plan,
and that of a replay is another once a letter was edited.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from scripts.commands.connections import connected, database_user
from scripts.commands.decisions import (
    LetterPlan,
    Planner,
    Selection,
    changed_meanwhile,
    plan_table,
    read_plans,
    refusal_of,
    warnings_of,
)
from scripts.console import letter_forms
from scripts.console.rendering import page
from workers.store import dead_letters

WHY_NEEDED = "it is recorded for the next person who looks at the dead letter"


@dataclass(frozen=True)
class ShownPlan:
    """What is planned for the letters that an address selects. `query` is that address's."""

    query: str
    selection: Selection
    plans: Sequence[LetterPlan]
    at: datetime

    @property
    def left(self) -> list[LetterPlan]:
        """The letters to which there is no objection."""
        return [plan for plan in self.plans if not plan.objection]

    @property
    def frozen(self) -> Mapping[str, str]:
        """The fields of a form that wants exactly this plan. The digest changes if a letter of it does."""
        parts = [
            (plan.id, plan.row["state"], plan.row["repeats"], plan.to, plan.objection, plan.details)
            for plan in self.plans
        ]
        return {
            "plan": self.query,
            "at": self.at.isoformat(),
            "last": str(max(plan.id for plan in self.plans)),
            "digest": hashlib.sha256(repr(parts).encode()).hexdigest(),
        }


async def read_plan(
    query: str,
    planner: Planner,
    *,
    also: Sequence[str] = (),
    state: str = dead_letters.OPEN,
    at: datetime | None = None,
    last: int | None = None,
) -> ShownPlan:
    """Plan something for the letters that an address selects, in which the names `also` are no filters.

    Raises CommandError if it names no letters.
    """
    given = letter_forms.fields_of(query)
    options, now = letter_forms.options_of(given, also=(letter_forms.IDS, *also)), at or datetime.now(UTC)
    selection = Selection(letter_forms.ids_of(given), options, state=state, at=now, last=last)
    return ShownPlan(query, selection, await read_plans(selection, planner), now)


def moment_of(form: Mapping[str, str]) -> tuple[datetime, int]:
    """Return when the plan of a form was shown, and its last letter. Raises CommandError if no plan was shown."""
    try:
        at, last = datetime.fromisoformat(form["at"]), int(form["last"])
    except (KeyError, ValueError):
        raise changed_meanwhile() from None
    if at.tzinfo is None or not 0 <= last < 1 << 63:
        raise changed_meanwhile()
    return at, last


def check(verb: str, plan: ShownPlan, form: Mapping[str, str]) -> None:
    """Raise CommandError unless it is the plan that was shown, in which what is refused is to be skipped."""
    if form.get("digest") != plan.frozen["digest"]:
        raise changed_meanwhile()
    if problem := refusal_of(verb, plan.plans, skip_refused=bool(form.get("skip-refused"))):
        raise problem


async def plan_page(request: web.Request, template: str, verb: str, plan: ShownPlan, **values: Any) -> web.Response:
    """Return the page of a plan, which is its dry run, with what people noted about its groups."""
    async with connected() as tx:
        notes = await dead_letters.notes(tx, {one.group for one in plan.plans})
    return page(
        request,
        template,
        verb=verb,
        plan=plan,
        rows=plan_table(verb, plan.plans),
        refusal=refusal_of(verb, plan.plans, skip_refused=True),
        warnings=warnings_of(plan.left),
        notes=[note for written in notes.values() for note in written],
        database_user=database_user(),
        **values,
    )
