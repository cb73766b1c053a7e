"""Replays of dead letters: the plan, the start, the progress, and to pause, resume or cancel one."""

from typing import Any

from aiohttp import web

from messages.dead_letters import DeadLetterAction
from messages.topology import QUEUES
from scripts.commands.connections import connected
from scripts.commands.decisions import Planner
from scripts.commands.letter_decisions import (
    CANARY,
    CANARY_MIN_LETTERS,
    canary_letters,
    letters_per_minute,
    refuse_unknown_queue,
    replay_planner,
    start_run,
)
from scripts.commands.letter_filters import is_id
from scripts.commands.problems import Code, CommandError
from scripts.commands.replay_runner import outcome, progress
from scripts.commands.replays import change, line_of, note_outcomes
from scripts.console import letter_forms
from scripts.console.forms import reason_and_actor, typed
from scripts.console.letter_plans import WHY_NEEDED, check, moment_of, plan_page, read_plan
from scripts.console.rendering import page
from scripts.console.state import STATE
from workers.domain.replay_rules import ReplayPlan
from workers.services import replay_runs as runs
from workers.store import replay_runs

REPLAYS_SHOWN, LETTERS_SHOWN = 50, 200
ABOUT_PLAN = ("to", "again", "anyway")
"""What the address of a plan says besides filters and ids."""


def _planner(given: letter_forms.Fields) -> tuple[str, Planner]:
    """Return where unrouted letters go, and what plans a replay. Raises CommandError for a queue that is none."""
    to = "".join(given.get("to", []))
    refuse_unknown_queue(to or None)
    return to, replay_planner(to or None, again="again" in given, anyway="anyway" in given)


async def plan(request: web.Request) -> web.Response:
    """Show what a replay would do to which letters, and change nothing."""
    given = letter_forms.fields_of(letter_forms.query_string(request))
    to, planner = _planner(given)
    found = await read_plan(letter_forms.query_string(request), planner, also=ABOUT_PLAN)
    return await plan_page(
        request,
        "plan.html",
        "replay",
        found,
        to=to,
        again="again" in given,
        anyway="anyway" in given,
        canary=canary_letters(len(found.left), None),
        about_canary=(CANARY, CANARY_MIN_LETTERS),
        queues=list(QUEUES),
        fields=[(name, value) for name, value in request.query.items() if name not in ABOUT_PLAN],
    )


async def start(request: web.Request) -> web.Response:
    """Start a replay exactly as it was shown, and send it from here."""
    reason, actor = await reason_and_actor(request, WHY_NEEDED)
    form = await typed(request)
    query, (at, last) = form.get("plan", ""), moment_of(form)
    _, planner = _planner(letter_forms.fields_of(query))
    found = await read_plan(query, planner, also=ABOUT_PLAN, at=at, last=last)
    check("replay", found, form)
    how = _how(form, len(found.left))
    run_id = await start_run(how, found.left, selection=found.selection.text, reason=reason, note=actor)
    request.app[STATE].senders.start(run_id, actor)
    raise web.HTTPSeeOther(f"/replays/{run_id}")


def _how(form: dict[str, str], letters: int) -> ReplayPlan:
    """Read how a replay is to be sent. Raises CommandError for what makes no sense."""
    wanted = form.get("canary", "")
    return ReplayPlan(
        letters_per_minute(form.get("rate") or "20/s"),
        canary_letters(letters, _count("canary", wanted, 0, 100_000) if wanted else None),
        _count("canary-wait", form.get("canary-wait") or "60", 1, 86_400),
        _count("min-success", form.get("min-success") or "95", 0, 100),
        _count("per-order", form.get("per-order") or "1", 1, 1000),
        bool(form.get("one-try")),
    )


def _count(name: str, text: str, least: int, most: int) -> int:
    if not is_id(text) or not least <= int(text) <= most:
        why = f"it is a number from {least} to {most:,}"
        raise CommandError(Code.FAILED, f"{name} cannot be {text[:100]}", why=why, hint="go back, and correct it")
    return int(text)


async def list_(request: web.Request) -> web.Response:
    """List replays, the newest first."""
    finished = request.app[STATE].finished_replays
    async with connected() as tx:
        rows = [
            finished.get(one["id"]) or await line_of(tx, one) for one in await replay_runs.newest(tx, REPLAYS_SHOWN)
        ]
    finished |= {row["id"]: row for row in rows if row["state"] == runs.FINISHED}
    return page(request, "replays.html", rows=rows)


async def show(request: web.Request) -> web.Response:
    """Show a replay: how far it is, and what became of its letters by now. Without --operate, this is not noted."""
    run_id, senders = _run_id(request), request.app[STATE].senders
    async with connected() as tx:
        if request.app[STATE].guard.operate:
            await note_outcomes(tx, run_id)
        found, outcomes = await outcome(tx, run_id)
        letters = await replay_runs.letters(tx, run_id, LETTERS_SHOWN)
    values: dict[str, Any] = {
        "run": found.run,
        "counts": found.counts,
        "progress": progress(found.counts),
        "outcomes": outcomes,
        "letters": letters,
        "hidden": found.counts.total - len(letters),
        "sent_here": senders.sends(run_id),
        "problem": senders.problem_of(run_id),
        "over": found.state in (runs.FINISHED, runs.CANCELLED),
    }
    return page(request, "replay.html", **values)


async def change_state(request: web.Request) -> web.Response:
    """Pause, resume or cancel a replay; one that goes on is sent from here."""
    run_id, action = _run_id(request), request.match_info["action"]
    reason, actor = await reason_and_actor(request, "it is recorded with the replay")
    wanted: DeadLetterAction = {"pause": "pause", "resume": "resume", "cancel": "cancel"}[action]  # type: ignore[assignment]
    await change(run_id, wanted, reason, note=actor)
    if action == "resume":
        request.app[STATE].senders.start(run_id, actor)
    raise web.HTTPSeeOther(f"/replays/{run_id}")


def _run_id(request: web.Request) -> int:
    text = request.match_info["id"]
    if not is_id(text):
        raise CommandError(
            Code.FAILED, f"{text[:100]} is no replay", why="a replay has a number", hint="oms replays list"
        )
    return int(text)


ROUTES = (
    web.get("/replays", list_),
    web.get("/replays/plan", plan),
    web.post("/replays", start),
    web.get("/replays/{id}", show),
    web.post("/replays/{id}/{action:pause|resume|cancel}", change_state),
)
