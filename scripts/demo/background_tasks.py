"""Tasks of the client that run side by side: one for each payment, parcel or later change of an order."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class BackgroundTasks:
    """Starts tasks and counts those that have not ended. A task that fails ends the whole client."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, story: Coroutine[Any, Any, None]) -> None:
        """Start one more task."""
        task = self._group.create_task(story, name=getattr(story, "__qualname__", None))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __len__(self) -> int:
        return len(self._tasks)

    def stuck(self) -> list[str]:
        """Return tasks that have not ended and the line at which each waits, as text."""
        return [f"task {_place(task)} has not ended" for task in list(self._tasks)[:3]]


def _place(task: "asyncio.Task[None]") -> str:
    frames = task.get_stack(limit=1)
    where = f" in line {frames[-1].f_lineno}" if frames else ""
    return f"{task.get_name()}{where}"
