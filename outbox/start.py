"""What a process does at its start until its servers answer: it waits, unless waiting cannot help."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog
from aio_pika.exceptions import AMQPError

from db.errors import LoginRefusedError, OmsError, UnavailableError
from db.pool import explain
from outbox import wire
from outbox.doorbell import DATABASE_ERRORS

log = structlog.get_logger(__name__)

T = TypeVar("T")
AWAY = (UnavailableError, AMQPError, *DATABASE_ERRORS)
WAIT_SECONDS = 2.0


class StoppedError(OmsError):
    """`stop` was set before the process had started."""


async def until_stopped(stop: asyncio.Event, make: Callable[[], Awaitable[T]]) -> T:
    """Repeat `make` until it succeeds, and return its result.

    Raises StoppedError if `stop` is set before, and LoginRefusedError when a server refuses our user or password.
    """
    while not stop.is_set():
        try:
            return await make()
        except wire.LOGIN_REFUSED as error:
            raise LoginRefusedError(wire.explain_refusal(error)) from error
        except AWAY as error:
            why = str(error) if isinstance(error, UnavailableError | AMQPError) else explain(error)
            log.warning("a server is away, waiting for it", error=type(error).__qualname__, why=why[:200])
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), WAIT_SECONDS)
    raise StoppedError
