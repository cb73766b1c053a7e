"""Waits for what a worker decides about a command that was published."""

import asyncio
import time

from messages.base import Command
from scripts.commands.connections import connected
from scripts.commands.problems import Code, CommandError
from workers.store import subjects
from workers.store.subjects import CommandOutcome

POLL_SECONDS = 0.2  # a worker decides within some tens of milliseconds


async def outcome(command: Command, queue: str, role: str, look: str, wait_seconds: float) -> CommandOutcome:
    """Wait until a worker of the queue has decided the command, which `role` may send.

    After `wait_seconds` it raises CommandError; `look` is the command that shows later whether it was done.
    """
    deadline = time.monotonic() + wait_seconds
    async with connected() as tx:
        while time.monotonic() < deadline:
            if (found := await subjects.outcome(tx, command.command_scope(), command.command_key())) is not None:
                return found
            await asyncio.sleep(POLL_SECONDS)
    raise CommandError(
        Code.UNREACHABLE,
        f"no worker decided within {wait_seconds:g} s; the command may still wait in its queue",
        why=f"no worker serves the queue {queue}, or OMS_ROLES does not give the broker user the role {role}",
        hint=f"oms worker --queues {queue}; then {look}",
    )
