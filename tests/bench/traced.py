"""`python -m tests.bench.traced FILE BATCH`: the process of `single`, which writes down what it spends its time on.

The product is not changed for it: this module puts wrappers around some of its functions, and a query logger on each
connection. Times are wall-clock seconds on the monotonic clock that all processes of a machine share. With a BATCH
above 1 a consumer waits, half a second at most, until it has so many messages.
"""

import asyncio
import functools
import sys
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import orjson
import uvloop

import outbox
from db import pool
from db.statements import SQL
from outbox.lane import Lane
from outbox.publisher import Publisher
from tests.bench import single
from tests.bench.cost import TYPES
from workers.app import tune_garbage_collection
from workers.runtime import consumer
from workers.runtime.collector import Collector
from workers.runtime.decode import Decoder
from workers.runtime.settle import Settler

GATHER_SECONDS = 0.5
NAMES = {text: name for name, text in SQL.items()}
_queue: ContextVar[str] = ContextVar("queue", default="")
_spans: list[dict[str, Any]] = []
Make = Callable[[Callable[..., Any]], Callable[..., Any]]


def note(name: str, started: float, **more: Any) -> None:
    """Keep a span that ends now."""
    now = time.perf_counter()
    _spans.append({"name": name, "at": started, "seconds": now - started, "queue": _queue.get(), **more})


def timed(span: str) -> Make:
    """The wrapper that notes the time of each call of a coroutine function."""

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def timing(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return await function(*arguments, **named)
            finally:
                note(span, started)

        return timing

    return make


def decoding(function: Callable[..., Any]) -> Callable[..., Any]:
    """Note the time of decoding, and when the message had arrived."""

    def decode(self: Decoder, delivery: Any) -> Any:
        started = time.perf_counter()
        work = function(self, delivery)
        note("decode", started, message=work.type)
        return work

    return decode


def batching(function: Callable[..., Any]) -> Callable[..., Any]:
    """Note a batch. Its statements carry the name of its queue."""

    async def batch(context: Any, works: Any) -> Any:
        token, started = _queue.set(context.route.queue), time.perf_counter()
        try:
            return await function(context, works)
        finally:
            note("batch", started, items=sum(work.items for work in works))
            _queue.reset(token)

    return batch


def rendering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Note the publishing of one outbox row by the relay."""

    async def publish(self: Lane, row: Any) -> Any:
        started = time.perf_counter()
        answer = await function(self, row)
        note("relay publish", started, message=row["type"], destination=row["destination"])
        return answer

    return publish


def gathering(size: int) -> Make:
    """Let a collector wait until it has a full batch, so that the size of a batch is no matter of chance."""

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        async def take(self: Collector) -> Any:
            await self._changed.wait()
            started, wanted = time.perf_counter(), min(size, self.batch_max_items)
            while sum(work.items for work in self._waiting) < wanted and time.perf_counter() - started < GATHER_SECONDS:
                await asyncio.sleep(0.001)
            return await function(self)

        return take

    return make


def watching(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put a logger on each new connection of a pool."""

    async def begin(connection: Any, **about: Any) -> None:
        await function(connection, **about)
        connection.add_query_logger(_note_query)

    return begin


def _note_query(record: Any) -> None:
    named = NAMES.get(record.query) or record.query.strip().split()[0].rstrip(";").upper()
    if named in {"SELECT", "WITH"}:
        named = TYPES
    application = record.conn_params.server_settings.get("application_name", "")
    side = "relay" if "relay" in application else "worker"
    _spans.append(
        {
            "name": "statement",
            "at": time.perf_counter() - record.elapsed,
            "seconds": record.elapsed,
            "queue": _queue.get(),
            "statement": named,
            "side": side,
        }
    )


WRAPPED: Sequence[tuple[Any, str, Make]] = (
    (pool, "_set_up", watching),
    (consumer, "process", batching),
    (Decoder, "__call__", decoding),
    (outbox, "append", timed("append")),
    (Settler, "settle", timed("acknowledge")),
    (Lane, "_publish", rendering),
    (Publisher, "publish", timed("worker publish")),
)
"""The owner and the name of each function that gets a wrapper, and what makes the wrapper."""


def install(batch: int) -> None:
    """Put all wrappers in place. Raises AttributeError if a function is not there any more."""
    for owner, name, make in (*WRAPPED, *([(Collector, "take", gathering(batch))] if batch > 1 else [])):
        setattr(owner, name, make(getattr(owner, name)))


if __name__ == "__main__":
    install(int(sys.argv[2]))
    tune_garbage_collection()
    uvloop.run(single.main())
    Path(sys.argv[1]).write_bytes(b"\n".join(orjson.dumps(span) for span in _spans))
