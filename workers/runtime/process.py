"""The heart: messages in, one outcome each. Claim, handle, commit; what goes wrong is narrowed down to who did it."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import structlog
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

import outbox
from db.errors import UnavailableError
from db.pool import Pool, Transaction
from db.statements import SQL
from messages.reasons import Reason
from outbox.crashpoint import crashpoint
from workers.runtime import inbox, metrics
from workers.runtime.batch import Batch
from workers.runtime.decode import Work
from workers.runtime.delivery import RawDelivery
from workers.runtime.errors import Failure, Trouble, trouble
from workers.runtime.policy import Kind, Outcome, failed, refused
from workers.runtime.republish import exploded, leaving
from workers.runtime.route import CallRoute, QueryRoute, RawRoute, Route

log = structlog.get_logger(__name__)

ID_REUSE = Failure.invalid("id_reuse", "this message_id was used before with another body", reason=Reason.ID_REUSE)
BATCH_TRIES = 5  # a deadlock or a lock that was not granted: the neighbours are through by then

patiently = retry(
    retry=retry_if_exception(lambda error: trouble(error) is Trouble.TRANSIENT),
    stop=stop_after_attempt(BATCH_TRIES),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    reraise=True,
)
"""Again at once where only a neighbour was in the way (deadlock, lock timeout)."""


@dataclass(frozen=True)
class QueueContext:
    """What handling one queue's messages takes. `committed` is called after every commit."""

    route: Route
    pool: Pool
    attempts_max: int = 7
    committed: Callable[[], None] = lambda: None
    answers: Mapping[str, Any] = field(default_factory=dict)


async def process(context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    """Every message gets an outcome. Raises UnavailableError when the database, or who is asked, is away."""
    sound = [work for work in works if work.failure is None]
    handle = _asked_first if isinstance(context.route, CallRoute) else _narrowed
    outcomes = await handle(context, sound) if sound else []
    return outcomes + [await _given_up(context, work, work.failure) for work in works if work.failure is not None]


async def _asked_first(context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    """Ask the outside about all of them, then handle them. One that cannot be asked about is asked about alone."""
    try:
        answers = await _asked(context, works)
    except UnavailableError:
        raise
    except Exception as error:
        if len(works) == 1:
            return [await _culprit(context, works[0], error)]
        return [outcome for work in works for outcome in await _asked_first(context, [work])]
    return await _narrowed(replace(context, answers=answers), works)


async def _asked(context: QueueContext, works: Sequence[Work]) -> Mapping[str, Any]:
    """The answers of the outside, awaited while no transaction is held. Raises UnavailableError when it is away."""
    assert isinstance(context.route, CallRoute), "only a CallRoute calls other systems"
    try:
        async with transaction(context.pool, readonly=True) as tx:
            questions = await context.route.prepare(tx, [envelope for work in works for envelope in work.envelopes])
        return await context.route.ask(questions)
    except OSError as error:
        raise UnavailableError(f"outside: {type(error).__qualname__}: {error}"[:200]) from error


async def _narrowed(context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    """Together if possible; else each half by itself: one bad message costs about log2(n) extra transactions."""
    try:
        return await _commit(context, works)
    except UnavailableError:
        raise
    except Exception as error:
        if len(works) == 1:
            return [await _culprit(context, works[0], error)]
        log.info("batch halved", queue=context.route.queue, messages=len(works), error=type(error).__qualname__)
        middle = len(works) // 2
        return await _narrowed(context, works[:middle]) + await _narrowed(context, works[middle:])


@patiently
async def _commit(context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    """One transaction. What the handler did, the claims and the announcements live or die together."""
    started = time.perf_counter()
    handle = {RawRoute: _handle_raw, QueryRoute: _answer}.get(type(context.route), _handle)
    async with transaction(context.pool, readonly=handle is _answer) as tx:
        outcomes = await handle(tx, context, works)
        crashpoint("before_commit")
    crashpoint("after_commit")
    if handle is not _answer:
        context.committed()
    metrics.BATCH_SECONDS.labels(context.route.queue).observe(time.perf_counter() - started)
    return outcomes


async def _handle(tx: Transaction, context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    claim = await inbox.claim(tx, context.route.queue, works)
    batch = Batch([envelope for work in claim.fresh for envelope in work.envelopes], claim.now, context.answers)
    if batch:
        await context.route.handler(tx, batch)
    undone = await _put_aside(tx, context, claim.fresh, batch) if batch.verdicts else []
    return _settled(claim, undone)


async def _put_aside(tx: Transaction, context: QueueContext, works: Sequence[Work], batch: Batch[Any]) -> list[Outcome]:
    """What the handler did not do. A message alone loses its claim; an item leaves its pack, which stays claimed."""
    undone: list[Outcome] = []
    announcements: list[outbox.Announcement] = []
    judged = [(work, item) for work in works for item in work.envelopes if item.id in batch.verdicts]
    for work, item in judged:
        failure = Failure.judged(batch.verdicts[item.id], work.delivery.body)
        if len(work.envelopes) == 1:
            undone.append(failed(work, failure, context.attempts_max))
        else:
            announcements.append(leaving(context.route.queue, item.index, failed(work, failure, context.attempts_max)))
    await inbox.unclaim(tx, context.route.queue, [outcome.work.message_id for outcome in undone])
    await outbox.append(tx, announcements)
    return undone


def _settled(claim: inbox.Claim, undone: Sequence[Outcome]) -> list[Outcome]:
    aside = {id(outcome.work) for outcome in undone}
    return [
        *undone,
        *(Outcome(work, Kind.ACKED) for work in claim.fresh if id(work) not in aside),
        *(Outcome(work, Kind.DUPLICATE) for work in claim.duplicates),
        *(Outcome(work, Kind.DEAD_LETTERED, ID_REUSE) for work in claim.reused),
    ]


async def _handle_raw(tx: Transaction, context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    raw: list[Any] = [RawDelivery.taken(context.route.queue, work.delivery) for work in works]
    batch = Batch(raw, await tx.fetchval(SQL["inbox.now"]))
    await context.route.handler(tx, batch)
    kinds = (Kind.REQUEUED if item.id in batch.verdicts else Kind.ACKED for item in raw)
    return [Outcome(work, kind) for work, kind in zip(works, kinds, strict=True)]


async def _answer(tx: Transaction, context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    batch = Batch([work.envelopes[0] for work in works], await tx.fetchval(SQL["inbox.now"]))
    replies = await context.route.handler(tx, batch)
    return [Outcome(work, Kind.ACKED, reply=reply) for work, reply in zip(works, replies or (), strict=True)]


async def _culprit(context: QueueContext, work: Work, error: Exception) -> Outcome:
    """One message that raised by itself."""
    metrics.HANDLER_FAILURES.labels(context.route.queue).inc()
    if isinstance(context.route, RawRoute):
        log.warning("raw message failed", queue=context.route.queue, error=type(error).__qualname__)
        return Outcome(work, Kind.REQUEUED)
    failure = Failure.raised(error, work.delivery.body)
    said = {"queue": context.route.queue, "message_id": work.message_id, "type": work.type, "attempt": work.attempt}
    log.warning("message failed", **said, error=failure.error_type, why=failure.message, print=failure.fingerprint)
    return await _given_up(context, work, failure)


async def _given_up(context: QueueContext, work: Work, failure: Failure) -> Outcome:
    """A message that cannot be done as it is. One that holds many items is taken apart, to find the item."""
    if isinstance(context.route, QueryRoute):
        return refused(work, failure)
    if len(work.pieces) > 1:
        try:
            return await _explode(context, work)
        except UnavailableError:
            raise
        except Exception as error:
            log.warning("pack not taken apart", message_id=work.message_id, error=type(error).__qualname__)
    return failed(work, failure, context.attempts_max)


@patiently
async def _explode(context: QueueContext, work: Work) -> Outcome:
    async with transaction(context.pool) as tx:
        claim = await inbox.claim(tx, context.route.queue, [work])
        if claim.fresh:
            await outbox.append(tx, exploded(context.route.queue, work))
    context.committed()
    return _settled(claim, [])[0]


@asynccontextmanager
async def transaction(pool: Pool, *, readonly: bool = False) -> AsyncIterator[Transaction]:
    """A transaction. Raises UnavailableError instead of anything that says the database is away."""
    try:
        connection = await pool.acquire()
    except Exception as error:  # a refused login is as little a message's fault as a refused connection
        raise UnavailableError(type(error).__qualname__) from error
    try:
        async with connection.transaction(readonly=readonly):
            yield connection
    except Exception as error:
        forbidden = readonly and isinstance(error, asyncpg.ReadOnlySQLTransactionError)  # a mistake of the handler's
        if trouble(error) is Trouble.UNAVAILABLE and not (forbidden or isinstance(error, UnavailableError)):
            raise UnavailableError(type(error).__qualname__) from error
        raise
    finally:
        await pool.release(connection)
