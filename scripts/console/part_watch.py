"""Remembers for a while what a part of the overview has read: to read it at each refresh would load its server.

A page never waits long for a part. One that a server keeps waiting is read on, and until then shown as it was.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from scripts.commands.problems import Code, CommandError
from scripts.console.replay_senders import problem_of

T = TypeVar("T")
WAITED_SECONDS = 3.0
TRIED_AGAIN_SECONDS = 5.0
REST_PER_READING = 20
"""A part that takes a second to read is left alone for so many, however often a page asks."""


@dataclass(frozen=True)
class PartReading(Generic[T]):
    """What was read last, and how many seconds ago; or, if that failed, why."""

    value: T | None
    age_seconds: float
    problem: CommandError | None


class PartWatch(Generic[T]):
    """One part, which is read by one task at a time, whoever waits for it."""

    def __init__(self, name: str, read: Callable[[], Awaitable[T]], kept_seconds: float, hint: str) -> None:
        self.name, self._read, self._kept_seconds, self._hint = name, read, kept_seconds, hint
        self._value: T | None = None
        self._problem: CommandError | None = None
        self._read_at = self._due_at = -kept_seconds
        self._task: asyncio.Task[None] | None = None

    async def reading(self) -> PartReading[T]:
        """Return the part, read anew if that is due and takes no longer than a page waits."""
        if self._task is None and time.monotonic() >= self._due_at:
            self._task = asyncio.create_task(self._read_anew())
        if self._task is not None:
            await asyncio.wait([self._task], timeout=WAITED_SECONDS)
        problem = self._problem
        if problem is None and self._value is None:
            why = f"no answer came within {WAITED_SECONDS:g} s, and it is still waited for"
            problem = CommandError(Code.UNREACHABLE, f"{self.name} does not answer", why=why, hint=self._hint)
        return PartReading(None if problem else self._value, time.monotonic() - self._read_at, problem)

    async def close(self) -> None:
        """End a reading that is under way."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _read_anew(self) -> None:
        began = time.monotonic()
        try:
            self._value, self._problem = await self._read(), None
        except Exception as error:  # shown on the page
            self._problem = problem_of(error)
            if self._problem.code is Code.UNREACHABLE:
                self._problem = CommandError(
                    Code.UNREACHABLE, f"{self.name} does not answer", why=one_line_of(self._problem), hint=self._hint
                )
        finally:
            self._read_at, self._task = time.monotonic(), None
            rest = max(self._kept_seconds, REST_PER_READING * (self._read_at - began))
            self._due_at = self._read_at + (rest if self._problem is None else TRIED_AGAIN_SECONDS)


def one_line_of(problem: CommandError) -> str:
    """Return what happened and why as one line."""
    return f"{problem}: {problem.why}" if problem.why else str(problem)
