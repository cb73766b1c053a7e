"""Many small stories told at once: one task per payment, parcel or change of mind."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class BackgroundTasks:
    """Counts the stories that are not told to their end. One that fails ends the whole client."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, story: Coroutine[Any, Any, None]) -> None:
        """Begin one more."""
        task = self._group.create_task(story)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __len__(self) -> int:
        return len(self._tasks)
