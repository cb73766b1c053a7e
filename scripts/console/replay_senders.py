"""Sends replays from the process of the console, each beside the others, until they end or the console does."""

import asyncio

from outbox.tracebacks import traceback_of
from scripts.commands.explanations import explain
from scripts.commands.output import say
from scripts.commands.problems import Code, CommandError
from scripts.commands.replay_runner import send

WAIT_SECONDS = 60


class ReplaySenders:
    """The replays that this console sends."""

    def __init__(self) -> None:
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._again: dict[int, str] = {}
        self._problems: dict[int, CommandError] = {}

    def start(self, run_id: int, note: str) -> None:
        """Send a replay as the person `note`. If it is being sent here, it is looked at again after that: who resumes
        it at once may come after its sender has seen the pause.
        """
        self._problems.pop(run_id, None)
        if self.sends(run_id):
            self._again[run_id] = note
        else:
            self._tasks[run_id] = asyncio.create_task(self._send(run_id, note))

    def sends(self, run_id: int) -> bool:
        """Say whether this console sends the replay now."""
        return run_id in self._tasks

    def problem_of(self, run_id: int) -> CommandError | None:
        """Return why this console sends the replay no more, if that was a failure."""
        return self._problems.get(run_id)

    async def close(self) -> list[int]:
        """End sending; what is under way is rolled back. Returns the replays that have not ended."""
        running = dict(self._tasks)
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)
        return sorted(running)

    async def _send(self, run_id: int, note: str) -> None:
        wanted: str | None = note
        try:
            while wanted is not None:
                await send(run_id, wait_seconds=WAIT_SECONDS, note=wanted, tell=lambda _: None)
                wanted = self._again.pop(run_id, None)
        except Exception as error:  # shown on the page of the replay
            self._problems[run_id] = problem_of(error)
        finally:
            self._again.pop(run_id, None)
            del self._tasks[run_id]


def problem_of(error: Exception) -> CommandError:
    """Return what a page says of an exception: of a defect only where it happened, because its text may be personal."""
    if (known := explain(error)) is not None:
        return known
    steps = traceback_of(error)
    say("\n".join(["oms: the console has a defect", *(f"  {step}" for step in steps)]))
    place = next((step for step in reversed(steps) if ":" in step), "")
    why, hint = f"{type(error).__name__} at {place}", "look at the terminal of oms console: all steps to it are there"
    return CommandError(Code.FAILED, "the console has a defect", why=why, hint=hint)
