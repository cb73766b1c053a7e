"""Sends the letters of a replay a few at a time, each time in one transaction, so that a killed one can be resumed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import outbox
from db.errors import OmsError
from db.pool import Transaction
from messages.dead_letters import DeadLetterAction
from workers.domain.replay_rules import ReplayCounts, ReplayDecision, ReplayPlan, ReplayStep, decide_step
from workers.services import dead_letters as decisions
from workers.store import dead_letters, replay_runs
from workers.store.dead_letters import REPLAYED
from workers.store.replay_runs import RunLetter

RUNNING, PAUSED, STOPPED, CANCELLED, FINISHED = "running", "paused", "stopped", "cancelled", "finished"
STATE_AFTER: Mapping[str, str] = {"pause": PAUSED, "resume": RUNNING, "cancel": CANCELLED}
LETTERS_PER_TRANSACTION = 200


class LettersChangedError(OmsError):
    """Letters were decided, or died again, since they were planned. Its argument is how many."""


@dataclass(frozen=True)
class ReplayState:
    """How a replay stands after a step: its row, the counts, and how many letters this step sent."""

    run: Mapping[str, Any]
    counts: ReplayCounts
    sent: int = 0

    @property
    def state(self) -> str:
        """Running, paused, stopped, cancelled or finished."""
        return str(self.run["state"])


def plan_of(run: Mapping[str, Any]) -> ReplayPlan:
    """Return how a stored run sends."""
    return ReplayPlan(**{name: run[name] for name in ReplayPlan.__dataclass_fields__})


async def start(
    tx: Transaction, plan: ReplayPlan, letters: Sequence[RunLetter], *, selection: str, reason: str, note: str
) -> int:
    """Store a run with its letters, which are those and no others from now on. Nothing is sent yet.

    Returns its id. Raises LettersChangedError if some letters are not as planned.
    """
    run_id = await replay_runs.create(tx, plan, selection=selection, reason=reason, note=note)
    added = await replay_runs.add(tx, run_id, letters)
    if len(added) < len(letters):
        raise LettersChangedError(len(letters) - len(added))
    await decisions.announce(tx, "replay", [letter.id for letter in letters], note=note, run_id=run_id)
    return run_id


async def advance(
    tx: Transaction, run_id: int, *, letters_max: int, waited_seconds: int, attempts_max: int, note: str
) -> ReplayState:
    """Settle what has an outcome, decide what comes next, and do that. Nothing is sent unless the run is running."""
    run = await replay_runs.lock(tx, run_id)
    assert run is not None, "the run exists"
    await replay_runs.settle(tx, run_id)
    counts = await replay_runs.counts(tx, run_id)
    if run["state"] != RUNNING:
        return ReplayState(run, counts)
    decision = decide_step(plan_of(run), counts, passed=run["canary_passed"], waited_seconds=waited_seconds)
    if decision.passed and not run["canary_passed"]:
        await replay_runs.pass_canary(tx, run_id)
    sent = 0
    if decision.step is ReplayStep.SEND:
        limit = min(letters_max, decision.letters_max, LETTERS_PER_TRANSACTION)
        sent = await _send(tx, run, limit, attempts_max if run["one_try"] or not decision.passed else 0, note)
    await _end(tx, run_id, decision)
    return ReplayState(await replay_runs.read(tx, run_id) or run, await replay_runs.counts(tx, run_id), sent)


async def _end(tx: Transaction, run_id: int, decision: ReplayDecision) -> None:
    if decision.step is ReplayStep.STOP:
        await replay_runs.set_state(tx, run_id, STOPPED, decision.why)
    elif decision.step is ReplayStep.FINISH:
        await replay_runs.set_state(tx, run_id, FINISHED, None)


async def _send(tx: Transaction, run: Mapping[str, Any], limit: int, attempts: int, note: str) -> int:
    """Announce the next letters, and leave out those that were decided, edited or died since they were planned."""
    chosen = await replay_runs.next_letters(tx, run["id"], limit, run["per_order"]) if limit > 0 else []
    if not chosen:
        return 0
    ids = [one["dead_letter_id"] for one in chosen]
    rows = {row["id"]: row for row in await dead_letters.lock(tx, ids)}
    edits = await dead_letters.newest_edits(tx, ids)
    left: list[tuple[int, str]] = []
    sent: list[tuple[int, outbox.Announcement]] = []
    for one in chosen:
        row = rows[one["dead_letter_id"]]
        edit = edits.get(row["id"])
        if why := _changed(row, edit, one):
            left.append((one["place"], why))
            continue
        failed = max(attempts, row["attempts"]) if attempts else 0
        sent.append((one["place"], decisions.again(row, one["queue"], edit=edit, attempts=failed)))
    await outbox.append(tx, [announcement for _, announcement in sent])
    places = {place: announcement.message_id or "" for place, announcement in sent}
    replayed = [one["dead_letter_id"] for one in chosen if one["place"] in places]
    await dead_letters.decide(tx, replayed, REPLAYED, "replay", note=note, reason=run["reason"])
    await replay_runs.mark_sent(tx, run["id"], list(places.items()))
    await replay_runs.leave_out(tx, run["id"], left)
    return len(sent)


def _changed(row: Mapping[str, Any], edit: Mapping[str, Any] | None, planned: Mapping[str, Any]) -> str:
    """Say why a letter is not what was planned; empty if it is."""
    if row["key_id"] == "erased":
        return "erased"
    if row["state"] != planned["planned_state"]:
        return str(row["state"])
    if row["repeats"] != planned["repeats"]:
        return "died meanwhile"
    return "" if decisions.message_id_of(row, edit) == planned["message_id"] else "edited meanwhile"


async def settled(tx: Transaction, run_id: int) -> ReplayState | None:
    """Return how a run stands, with outcomes as known now, or None. A run whose letters all have one is over."""
    run = await replay_runs.lock(tx, run_id)
    if run is None:
        return None
    await replay_runs.settle(tx, run_id)
    counts = await replay_runs.counts(tx, run_id)
    if _is_over(run, counts):
        await replay_runs.set_state(tx, run_id, FINISHED, None)
    return ReplayState(await replay_runs.read(tx, run_id) or run, counts)


async def seen(tx: Transaction, run_id: int) -> ReplayState | None:
    """Return what `settled` returns, or None, without a lock and without noting anything."""
    run = await replay_runs.read(tx, run_id)
    if run is None:
        return None
    counts = await replay_runs.counts(tx, run_id)
    return ReplayState(run | ({"state": FINISHED} if _is_over(run, counts) else {}), counts)


def _is_over(run: Mapping[str, Any], counts: ReplayCounts) -> bool:
    return run["state"] == RUNNING and not counts.unsent and not counts.under_way


async def change(tx: Transaction, run_id: int, action: DeadLetterAction, why: str | None, *, note: str) -> str | None:
    """Pause, cancel or resume a run that is not over. Returns its former state, or None if there is no such run.

    What was sent stays sent. A run that goes on after it stopped begins with a canary again.
    """
    run = await replay_runs.lock(tx, run_id)
    if run is None:
        return None
    before = str(run["state"])
    if before in (CANCELLED, FINISHED):
        return before
    state = STATE_AFTER[action]
    await replay_runs.set_state(tx, run_id, state, why)
    if state == RUNNING and before == STOPPED:
        await replay_runs.begin_canary(tx, run_id)
    left = await replay_runs.unsent(tx, run_id)
    await decisions.announce(tx, action, left, note=note, run_id=run_id)
    return before
